"""A camera is its matrices and its lens: rays and projections go together, batches are taken apart and made."""

from __future__ import annotations

import pytest
import torch

from geoinv.camera import Camera, CameraPose
from geoinv.conventions import FACE_ORBIT, FOCAL, Orbit
from geoinv.errors import ShapeError

TWO = CameraPose.from_vector(torch.tensor([[0.3, 0.1, 0.0, 0.0, 0.0, 0.0], [-0.2, 0.0, 0.1, 0.1, 0.0, 0.2]]))


def test_comes_from_a_pose_with_the_lens_of_its_orbit() -> None:
    wide = Orbit(radius=1.7, pivot=(0.0, 0.0, 0.0), focal=1.7)
    front = CameraPose.from_angles(0.0).camera(wide)
    assert front.focal == 1.7 and front.cam2world[0, :3, 3].tolist() == pytest.approx([0.0, 0.0, 1.7])
    assert TWO.camera(FACE_ORBIT).focal == FOCAL


def test_projection_undoes_rays_for_any_lens() -> None:
    pixels = torch.tensor([[0.5, 0.5], [0.1, 0.8]])
    for focal in (FOCAL, 1.5):
        camera = Camera(TWO.cam2world(FACE_ORBIT), focal)
        origins, directions = camera.rays(pixels)
        positions, depth = camera.project(origins + 2.0 * directions)
        assert torch.allclose(positions, pixels.expand(2, -1, -1), atol=1e-5)
        assert torch.allclose(depth, 2.0 * (directions * camera.axis[:, None]).sum(dim=-1), atol=1e-5)


def test_views_of_a_batch() -> None:
    camera = TWO.camera(FACE_ORBIT)
    assert [len(single) for single in camera] == [1, 1]
    assert torch.equal(camera[1].cam2world, camera.cam2world[1:]) and torch.equal(
        camera[-1].cam2world, camera[1].cam2world
    )
    assert len(camera[:1].expand(5)) == 5
    with pytest.raises(IndexError):
        camera[2]


@pytest.mark.parametrize("shape", [(4, 4), (1, 3, 4)])
def test_rejects_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="cam2world must be"):
        Camera(torch.zeros(shape), FOCAL)
