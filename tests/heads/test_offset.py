"""Heads whose details are offsets of planes: the steps of TriPlaneNet's paper, written out once more."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from geoinv.camera import Camera, CameraPose
from geoinv.errors import UsageError
from geoinv.heads import Edit, detailed_head, plain_head, source_view
from geoinv.heads.draft import draft_of
from geoinv.heads.offset import OffsetHead, mirrored
from geoinv.images.tensors import at_side
from tests.checkpoints.official_triplanenet import face_generator, small_networks
from tests.golden.triplanenet_networks import uniform

TOLERANCE = 0.02  # of offsets of about 1: pictures are kept in half precision


def code(seed: int) -> Tensor:
    generator = face_generator()
    z = torch.randn(1, generator.config.z_dim, generator=torch.Generator().manual_seed(seed))
    return generator.mapping(z, torch.zeros(1, 25))


def camera() -> Camera:
    pose = CameraPose.from_vector(torch.tensor([[0.3, -0.1, 0.05, 0.02, -0.01, 0.03]]))
    return pose.camera(face_generator().config.orbit)


def photo() -> Tensor:
    """[1, 3, 512, 512] in [0, 1]."""
    return at_side(0.5 + 0.5 * uniform("photo", (1, 3, 16, 16)), 512)


def head(version: str = "v2", edit: Edit | None = None) -> OffsetHead:
    generator, branch = face_generator(), small_networks(version)[1]
    before = plain_head(generator, code(0))
    seen = before.view(camera())
    source = source_view(before, branch, photo(), seen, torch.ones(1, 1, 512, 512))
    plain = before if edit is None else plain_head(generator, edit.after)
    made = detailed_head(plain, branch, source, edit=edit)
    assert isinstance(made, OffsetHead)
    return made


def flipped(matrix: Tensor) -> Tensor:
    """A camera's matrix in the mirrored world, with its x axis mirrored too."""
    mirror = torch.diag(torch.tensor([-1.0, 1.0, 1.0, 1.0]))
    return mirror @ matrix @ mirror


def test_mirrored_cameras() -> None:
    made = mirrored(camera(), face_generator().config.orbit)
    assert torch.allclose(made.cam2world, flipped(camera().cam2world), atol=1e-5)


@pytest.mark.parametrize("version", ["v1", "v2"])
@torch.no_grad()
def test_planes_are_offset(version: str) -> None:
    generator, branch = face_generator(), small_networks(version)[1]
    planes = generator.planes(code(0))

    def by_code(cam2world: Tensor) -> Tensor:
        color = generator.render(planes, Camera(cam2world, camera().focal), w_plus=code(0)).color
        return 2.0 * at_side(color, 256) - 1.0

    picture, small = by_code(camera().cam2world), 2.0 * at_side(photo(), 256) - 1.0
    seen = [picture, small - picture]
    if version == "v2":
        seen.append(small.flip(-1) - by_code(flipped(camera().cam2world)))
    expected = branch(torch.cat(seen, dim=1), planes.flatten(1, 2)).reshape(planes.shape)
    found = head(version).shown.planes - planes
    assert float(expected.std()) > 0.3
    assert float((found - expected).abs().max()) < TOLERANCE


def test_views_and_points_have_details() -> None:
    made = head()
    pair = made.view_pair(camera())
    assert pair.shown.color.shape == pair.plain.color.shape == (1, 3, 128, 128)
    assert float((pair.shown.color - pair.plain.color).abs().mean()) > 0.01
    assert torch.equal(made.with_details(pair.plain).color, pair.shown.color)
    points = torch.zeros(1, 2, 3)
    assert not torch.equal(made.query(points)[1], made.plain.query(points)[1])
    assert torch.equal(made.query(points)[0], made.shown.query(points)[0])
    draft = draft_of(made)
    assert isinstance(draft, OffsetHead) and torch.equal(draft.offsets, made.offsets)


def test_an_edited_head_keeps_its_offsets() -> None:
    edited = head(edit=Edit(code(0), code(1)))
    assert torch.equal(edited.offsets, head().offsets)
    plain = plain_head(face_generator(), code(1))
    assert torch.equal(edited.shown.planes, plain.planes + edited.offsets)  # type: ignore[union-attr]


def test_planes_are_not_aligned() -> None:
    made = head()
    with pytest.raises(UsageError, match="aligned in 3d alone"):
        detailed_head(made.plain, made.branch, made.source, alignment="3d")
