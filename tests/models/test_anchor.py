"""Anchor volumes of heads of the shipped mesh model."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from geoinv.conventions import MM_PER_UNIT
from geoinv.errors import CheckpointError, ShapeError
from geoinv.models.anchor import Anchor, head_model_id, shared_anchor
from geoinv.models.config import AnchorConfig
from geoinv.ops.anchored_rays import AnchorVolumes, read_anchor
from geoinv.shape import HeadCodes, HeadModel, expression_code, load_head_model
from geoinv.shape.vertex_normals import vertex_normals
from geoinv.synth.look import LOOK_SIZE


@pytest.fixture(scope="module")
def model() -> HeadModel:
    return load_head_model()


@pytest.fixture(scope="module")
def anchor() -> Anchor:
    return shared_anchor(AnchorConfig(head_model_id(), LOOK_SIZE))


@pytest.fixture(scope="module")
def open_mouth(model: HeadModel) -> torch.Tensor:
    """Vertices of two heads, the second with its mouth open."""
    codes = model.mean_codes(2)
    codes = replace(codes, expression=torch.cat([codes.expression[:1], expression_code({"jawOpen": 1.0})]))
    return model.vertices(codes)


@pytest.fixture(scope="module")
def volumes(anchor: Anchor, open_mouth: torch.Tensor) -> AnchorVolumes:
    return anchor(open_mouth)


def test_vertices_lie_on_the_surface_and_move_home(
    model: HeadModel, open_mouth: torch.Tensor, volumes: AnchorVolumes
) -> None:
    at = read_anchor(volumes, open_mouth)
    nose_to_chin = model.landmarks68.corners[[8, 30, 33, 27]].flatten()  # corners of landmarks: skin seen from anywhere
    distance = at[:, nose_to_chin, 3].abs()
    assert float(distance.median()) < 0.0012
    assert float(distance.max()) < 0.004
    home = model.vertices(model.mean_codes())[:, nose_to_chin] - open_mouth[:, nose_to_chin]
    assert float((at[:, nose_to_chin, :3] - home).norm(dim=-1).max()) < 0.006
    assert float(home[1].norm(dim=-1).max()) > 0.04  # the chin has gone down


def test_an_open_mouth_has_teeth_and_eyes_are_eyes(
    model: HeadModel, open_mouth: torch.Tensor, volumes: AnchorVolumes
) -> None:
    teeth = model.teeth.on(open_mouth)
    front = teeth[:, teeth[0, :, 2] > 0.245]
    assert float(read_anchor(volumes, front)[1, :, 7].median()) < -0.8
    eyes = open_mouth[:, model.parts["left-eye"].vertices]
    cornea = eyes[:, eyes[0, :, 2] > 0.235]
    at = read_anchor(volumes, cornea)
    assert float(at[0, :, 7].median()) > 0.5
    assert float(at[0, :, 6].median()) > 0.8  # looks forward


def test_signs_inside_and_outside(volumes: AnchorVolumes) -> None:
    inside = torch.tensor([[0.0, 0.2, 0.0], [0.0, 0.0, 0.0], [0.0, -0.45, -0.1], [0.084, 0.08, 0.2]])
    outside = torch.tensor(
        [[0.0, 0.0, 0.45], [0.4, 0.2, 0.0], [0.0, 0.47, -0.3], [-0.45, 0.45, 0.45], [0.0, 0.0, -0.49]]
    )
    assert bool((read_anchor(volumes, inside.expand(2, -1, -1))[..., 3] < 0.0).all())
    assert bool((read_anchor(volumes, outside.expand(2, -1, -1))[..., 3] > 0.0).all())


def test_cheeks_of_smiles_have_no_holes_to_the_mouth(anchor: Anchor, model: HeadModel) -> None:
    """Three millimetres below the skin about the mouth, where no other surface is near, places are inside."""
    vector = model.mean_codes(3).as_vector()
    vector[:, :96] = 0.8 * torch.randn(3, 96, generator=torch.Generator().manual_seed(0))
    smile = expression_code({"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0})
    heads = model.vertices(replace(HeadCodes.from_vector(vector), expression=smile.expand(3, -1)))
    skin = model.parts["skin"]
    vertices, normals = (
        heads[:, skin.vertices],
        vertex_normals(heads, model.triangles[skin.triangles])[:, skin.vertices],
    )
    for head in range(3):
        places, outward = vertices[head], normals[head]
        is_near = (places[:, 0].abs() < 0.13) & (places[:, 1] > -0.28) & (places[:, 1] < -0.05)
        is_near &= (places[:, 2] > 0.1) & (outward[:, 2] > 0.4)
        below = places[is_near] - outward[is_near] * (3.0 / MM_PER_UNIT)
        is_other = outward[is_near] @ outward.T < 0.2
        gap = torch.cdist(below, places).masked_fill(~is_other, 1.0).amin(dim=1)
        flesh = below[gap > 3.5 / MM_PER_UNIT]
        assert len(flesh) > 200
        distance = read_anchor(anchor(heads[head : head + 1]), flesh[None])[0, :, 3]
        assert float((distance > 0.0).float().mean()) < 0.01


def test_both_levels_agree_where_they_meet(volumes: AnchorVolumes) -> None:
    edge = torch.tensor([[[0.1, 0.179, 0.2], [0.1, 0.181, 0.2]]]).expand(2, -1, -1)
    at = read_anchor(volumes, edge)
    assert float((at[:, 0] - at[:, 1])[:, :4].abs().max()) < 0.002


def test_vertices_get_gradients(anchor: Anchor, model: HeadModel) -> None:
    codes = model.mean_codes()
    wanted = replace(codes, expression=expression_code({"jawOpen": 0.3}).requires_grad_())
    below_chin = torch.tensor([[[0.0, -0.32, 0.25]]])
    distance = read_anchor(anchor(model.vertices(wanted)), below_chin)[0, 0, 3]
    distance.backward()
    opening = wanted.expression.grad
    assert opening is not None and opening.isfinite().all()
    assert float(opening[0, expression_code({"jawOpen": 1.0})[0].argmax()]) < -0.01  # the chin comes nearer


def test_rejects_another_mesh(anchor: Anchor) -> None:
    with pytest.raises(ShapeError, match="vertices must be"):
        anchor(torch.zeros(1, 5, 3))


def test_rejects_another_head_model() -> None:
    with pytest.raises(CheckpointError, match="another head mesh model"):
        shared_anchor(AnchorConfig("0123456789ab", LOOK_SIZE))
