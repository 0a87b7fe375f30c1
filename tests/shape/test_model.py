"""The head model: hand-computed on a tiny one, and the shipped one as a head that is known."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from geoinv.conventions import BOX_LIMIT, MM_PER_UNIT
from geoinv.errors import ShapeError
from geoinv.shape import ARKIT_UNITS, HeadCodes, HeadModel, expression_code, load_head_model
from geoinv.shape.model import PART_NAMES

from .tiny_head import tiny_head


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head_model()


def _moved(head: HeadModel, **units: float) -> Tensor:
    """[V, 3] what an expression moves, in millimetres."""
    rest = head.mean_codes()
    vertices = head.vertices(replace(rest, expression=expression_code(units)))
    return (vertices - head.vertices(rest))[0] * MM_PER_UNIT


class TestTinyHead:
    def test_hand_computed_vertices(self) -> None:
        head = tiny_head()
        codes = HeadCodes(torch.tensor([[2.0, -1.0]]), 0.5 * expression_code({"jawOpen": 1.0}), torch.zeros(1, 2))
        jaw = head.expression_basis[ARKIT_UNITS.index("jawOpen")]
        expected = head.mean + 2.0 * head.identity_basis[0] - head.identity_basis[1] + 0.5 * jaw
        torch.testing.assert_close(head.vertices(codes)[0], expected)

    def test_hand_computed_normals(self) -> None:
        head = tiny_head()
        normals = head.normals(head.mean[None])[0, :4]
        corner = torch.full((3,), -1.0 / math.sqrt(3.0))  # where the three faces along the axes meet
        torch.testing.assert_close(normals[0], corner)
        # at (1, 0, 0): faces -z and -y of area 1, and the slanted one, whose vector is (1, 1, 1)
        torch.testing.assert_close(normals[1], torch.tensor([1.0, 0.0, 0.0]))

    def test_what_leaves_the_box_is_flattened(self) -> None:
        head = tiny_head()
        vertices = head.vertices(replace(head.mean_codes(), identity=torch.tensor([[90.0, 0.0]])))
        assert float(vertices.abs().max()) == pytest.approx(BOX_LIMIT)

    def test_gradcheck(self) -> None:
        head = tiny_head().double()
        vector = 0.3 * torch.randn(2, 2 + 54, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

        def both(codes: Tensor) -> tuple[Tensor, Tensor]:
            vertices: tuple[Tensor, Tensor] = head(HeadCodes.from_vector(codes))
            return vertices

        assert torch.autograd.gradcheck(both, (vector.requires_grad_(),))

    def test_heads_of_a_batch_are_independent(self) -> None:
        head = tiny_head()
        codes = HeadCodes.from_vector(torch.randn(5, 56, generator=torch.Generator().manual_seed(2)))
        vertices, normals = head(codes)
        alone = head(HeadCodes.from_vector(codes.as_vector()[3:4]))
        torch.testing.assert_close(vertices[3:4], alone[0])
        torch.testing.assert_close(normals[3:4], alone[1])
        assert head(HeadCodes.zeros(2, 0))[1].shape == (0, 24, 3)

    def test_rejects_other_identities(self) -> None:
        with pytest.raises(ShapeError, match="identity must be"):
            tiny_head().vertices(HeadCodes.zeros(3))


class TestShippedHead:
    def test_size_is_as_designed(self, head: HeadModel) -> None:
        assert head.identity_size == 96 and head.expression_basis.shape[0] == 52
        assert tuple(head.parts) == PART_NAMES

    def test_parts_hold_every_row_once(self, head: HeadModel) -> None:
        ends = [0, 0, 0]
        for part in head.parts.values():
            rows = (part.vertices, part.corners, part.triangles)
            assert [row.start for row in rows] == ends
            ends = [row.stop for row in rows]
            corners = head.corner_triangles[part.triangles]
            assert int(corners.min()) >= part.corners.start and int(corners.max()) < part.corners.stop
            vertices = head.corner_vertices[part.corners]
            assert int(vertices.min()) == part.vertices.start and int(vertices.max()) == part.vertices.stop - 1
        assert ends == [len(head.mean), len(head.uvs), len(head.triangles)]

    def test_pupils_are_where_the_conventions_have_them(self, head: HeadModel) -> None:
        eyes = [head.mean[head.parts[name].vertices].mean(0) for name in ("right-eye", "left-eye")]
        middle = (eyes[0] + eyes[1]) / 2
        torch.testing.assert_close(middle, torch.tensor([0.0, 0.08, 0.20]), atol=2e-3, rtol=0.0)
        assert eyes[0][0] < 0 < eyes[1][0]  # the person's right is at image left

    def test_normals_look_outward(self, head: HeadModel) -> None:
        vertices, normals = head(head.mean_codes())
        nose, chin = head.landmarks68.on(normals)[0, [30, 8]]
        assert nose[2] > 0.7 and chin[1] < 0
        inside = vertices[0].abs().max(dim=-1).values < BOX_LIMIT - 0.02
        torch.testing.assert_close(normals[0, inside].norm(dim=-1), torch.ones(int(inside.sum())), atol=1e-4, rtol=0.0)
        for name in ("right-eye", "left-eye"):
            ball = vertices[0, head.parts[name].vertices]
            outward = (ball - ball.mean(0)) * normals[0, head.parts[name].vertices]
            assert float(outward.sum(-1).min()) > 0

    def test_gradients_are_finite_where_the_box_flattens(self, head: HeadModel) -> None:
        vector = head.mean_codes().as_vector().requires_grad_()
        vertices, normals = head(HeadCodes.from_vector(vector))
        (vertices.square().sum() + normals[..., 2].exp().sum()).backward()
        assert vector.grad is not None and vector.grad.isfinite().all() and float(vector.grad.abs().max()) < 1e5

    def test_both_sets_of_landmarks_agree(self, head: HeadModel) -> None:
        ibug, mesh = head.landmarks68.on(head.mean), head.landmarks468.on(head.mean)
        # eye corners, nose tip, mouth corners, chin; the tip is a place of its own to each
        for ours, mediapipe, limit_mm in (
            (36, 33, 6),
            (39, 133, 6),
            (45, 263, 6),
            (30, 1, 9),
            (48, 61, 6),
            (54, 291, 6),
        ):
            assert float((ibug[ours] - mesh[mediapipe]).norm()) * MM_PER_UNIT < limit_mm, (ours, mediapipe)
        assert float(mesh[[33, 61, 234], 0].max()) < 0 < float(mesh[[263, 291, 454], 0].min())

    def test_units_are_linear(self, head: HeadModel) -> None:
        torch.testing.assert_close(_moved(head, jawOpen=0.5), 0.5 * _moved(head, jawOpen=1.0), atol=1e-3, rtol=1e-3)

    def test_jaw_opens(self, head: HeadModel) -> None:
        moved = _moved(head, jawOpen=1.0)
        chin = head.landmarks68.on(moved)[8]
        assert -45 < float(chin[1]) < -15
        assert float(moved[head.parts["lower-teeth"].vertices, 1].max()) < -5
        assert float(moved[head.parts["upper-teeth"].vertices].abs().max()) < 0.5

    def test_left_is_the_persons_left(self, head: HeadModel) -> None:
        corners = head.landmarks68.on(_moved(head, mouthSmileLeft=1.0))[[48, 54]]  # image left, image right
        assert float(corners[1].norm()) > 8 and float(corners[0].norm()) < 1
        lids = head.landmarks468.on(_moved(head, eyeBlinkRight=1.0))
        assert float(lids[159, 1]) < -5 and abs(float(lids[386, 1])) < 0.1

    def test_eyes_turn_by_the_gaze(self, head: HeadModel) -> None:
        codes = head.mean_codes()
        rest = head.vertices(codes)[0]
        turned = head.vertices(replace(codes, gaze=torch.tensor([[0.3, 0.2]])))[0]
        rows = head.parts["left-eye"].vertices
        centre = rest[rows].mean(0)
        before, after = rest[rows] - centre, turned[rows] - centre
        torch.testing.assert_close(before.norm(dim=-1), after.norm(dim=-1))
        u, _, v = torch.linalg.svd(after.T @ before)  # the rotation from one to the other
        looks_to = (u @ v)[:, 2]
        expected = [math.sin(0.3) * math.cos(0.2), math.sin(0.2), math.cos(0.3) * math.cos(0.2)]
        torch.testing.assert_close(looks_to, torch.tensor(expected), atol=1e-4, rtol=0.0)
        skin = head.parts["skin"].vertices
        assert torch.equal(rest[skin], turned[skin])
