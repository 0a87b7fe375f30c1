"""Cameras: conventions with numbers, inverses, labels, rays and projection."""

from __future__ import annotations

import math

import pytest
import torch

from geoinv.camera import (
    CameraPose,
    from_label,
    intrinsics,
    pixel_centres,
    pose_vectors,
    project,
    rays_through,
    to_label,
)
from geoinv.conventions import FACE_ORBIT, FOCAL
from geoinv.errors import ShapeError


def test_frontal_camera_is_eg3ds() -> None:
    expected = torch.tensor([[1.0, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 2.9], [0, 0, 0, 1]])
    assert torch.allclose(CameraPose.from_angles(0.0).cam2world(FACE_ORBIT)[0], expected, atol=1e-6)


def test_yaw_moves_the_camera_to_world_x_and_pitch_up() -> None:
    assert CameraPose.from_angles(0.3).cam2world(FACE_ORBIT)[0, 0, 3].item() == pytest.approx(
        2.7 * math.sin(0.3), abs=1e-5
    )
    assert CameraPose.from_angles(0.0, 0.2).cam2world(FACE_ORBIT)[0, 1, 3].item() == pytest.approx(
        2.7 * math.sin(0.2), abs=1e-5
    )


def test_roll_turns_the_head_counter_clockwise_in_the_image() -> None:
    above = torch.tensor([[[0.0, 0.1, 0.2]]])  # over the pivot: straight up in an unrolled image
    (x, y), _ = project(above, CameraPose.from_angles(0.0, 0.0, 0.2).cam2world(FACE_ORBIT), focal=FOCAL)[0][0, 0], None
    assert x < 0.5 and y < 0.5


def test_pose_vector_survives_the_matrix() -> None:
    vectors = torch.randn(32, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 0.3
    again = CameraPose.from_cam2world(CameraPose.from_vector(vectors).cam2world(FACE_ORBIT), FACE_ORBIT).as_vector()
    assert torch.allclose(again, vectors, atol=1e-9)


def test_rotation_is_proper() -> None:
    rotation = CameraPose.from_vector(torch.randn(8, 6) * 0.4).cam2world(FACE_ORBIT)[:, :3, :3]
    assert torch.allclose(rotation @ rotation.transpose(1, 2), torch.eye(3).expand(8, 3, 3), atol=1e-5)
    assert torch.allclose(torch.linalg.det(rotation), torch.ones(8), atol=1e-5)


def test_label_round_trip() -> None:
    cam2world = CameraPose.from_angles(0.4, 0.1).cam2world(FACE_ORBIT)
    label = to_label(cam2world, intrinsics())
    assert label.shape == (1, 25)
    matrix, camera_matrix = from_label(label)
    assert torch.equal(matrix, cam2world)
    assert torch.equal(camera_matrix[0], intrinsics())


def test_projection_inverts_rays() -> None:
    cam2world = CameraPose.from_vector(torch.randn(2, 6) * 0.2).cam2world(FACE_ORBIT)
    pixels = pixel_centres(5)
    origins, directions = rays_through(cam2world, pixels, focal=FOCAL)
    positions, depth = project(origins + 2.5 * directions, cam2world, focal=FOCAL)
    assert torch.allclose(positions, pixels.expand(2, -1, -1), atol=1e-5)
    assert (depth <= 2.5 + 1e-5).all()


def test_pose_vectors_are_those_that_cameras_were_made_of() -> None:
    vectors = torch.randn(4, 6) * 0.2
    told = pose_vectors(CameraPose.from_vector(vectors).cam2world(FACE_ORBIT))
    assert told.dtype == torch.float32
    assert torch.allclose(told, vectors, atol=1e-5)


@pytest.mark.parametrize("shape", [(6,), (2, 5)])
def test_rejects_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="camera vector"):
        CameraPose.from_vector(torch.zeros(shape))
    with pytest.raises(ShapeError, match="cam2world"):
        CameraPose.from_cam2world(torch.zeros(shape), FACE_ORBIT)
    with pytest.raises(ShapeError, match="label"):
        from_label(torch.zeros(shape))
