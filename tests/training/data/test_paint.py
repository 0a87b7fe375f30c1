"""Paint sticks to the surface."""

from __future__ import annotations

import numpy as np
import torch

from geoinv.camera import CameraPose, pixel_centres, rays_through
from geoinv.conventions import FACE_ORBIT, FOCAL
from geoinv.training.data.paint import Paint, surface_points


def test_surface_points_lie_on_their_rays_at_their_depth() -> None:
    cam2world = CameraPose.from_angles(0.3, -0.1, 0.05).cam2world(FACE_ORBIT)
    depth = np.random.default_rng(0).uniform(2.4, 2.9, (8, 8)).astype(np.float32)
    points = torch.from_numpy(surface_points(depth, cam2world[0].numpy(), FOCAL)).reshape(1, 64, 3)
    origins, directions = rays_through(cam2world, pixel_centres(8), focal=FOCAL)
    along = ((points - origins) * directions).sum(dim=-1, keepdim=True)
    assert torch.allclose(points, origins + directions * along, atol=1e-5)
    assert torch.allclose((points - origins) @ cam2world[0, :3, 2], torch.from_numpy(depth).reshape(1, 64), atol=1e-5)


def test_the_same_point_has_the_same_paint_in_every_picture() -> None:
    paint = Paint.random(np.random.default_rng(1))
    points = np.random.default_rng(2).uniform(-0.5, 0.5, (4, 5, 3)).astype(np.float32)
    colors = np.full((4, 5, 3), 0.4, np.float32)
    painted = paint.on(colors, points)
    assert np.array_equal(painted[::-1], paint.on(colors[::-1], points[::-1]))
    assert painted.std() > 0.0
    assert painted.min() >= 0.0
    assert painted.max() <= 1.0


def test_by_hand() -> None:
    wave = np.array([[np.pi, 0.0, 0.0]], np.float32)
    paint = Paint(wave, np.zeros(1, np.float32), np.array([[0.5, 0.0, -0.5]], np.float32), np.ones(3, np.float32))
    point = np.array([[[0.5, 0.1, 0.2]]], np.float32)  # sin(pi / 2) = 1
    assert np.allclose(paint.on(np.full((1, 1, 3), 0.4, np.float32), point), [0.6, 0.4, 0.2])
