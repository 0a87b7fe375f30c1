"""Grey pictures of meshes: of a sphere, whose outline and shades are known."""

from __future__ import annotations

import numpy as np
import trimesh

from geoinv.camera import CameraPose
from geoinv.conventions import FACE_ORBIT
from geoinv.present.mesh_pictures import shaded_mesh

SIDE = 128


def picture(*, far_sphere: bool = False) -> np.ndarray:
    ball = trimesh.creation.icosphere(4, 0.2)
    ball.vertices += FACE_ORBIT.pivot
    if far_sphere:  # hidden by the first
        behind = trimesh.creation.icosphere(4, 0.15)
        behind.vertices += np.array(FACE_ORBIT.pivot) - [0.0, 0.0, 0.5]
        ball = trimesh.util.concatenate([ball, behind])
    vertices, normals = np.asarray(ball.vertices, np.float32), np.asarray(ball.vertex_normals, np.float32)
    camera = CameraPose.from_angles(0.0).camera(FACE_ORBIT)
    return shaded_mesh(vertices, np.asarray(ball.faces, np.int64), normals, camera, SIDE)


def test_outline_is_the_spheres_without_holes() -> None:
    shown = picture()[..., 0] < 255
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    distance = np.hypot(x - SIDE / 2, y - SIDE / 2)
    radius = SIDE * FACE_ORBIT.focal * 0.2 / np.sqrt(FACE_ORBIT.radius**2 - 0.2**2)
    assert shown[distance < radius - 1.0].all() and not shown[distance > radius + 1.0].any()


def test_light_comes_from_above_on_the_left() -> None:
    grey = picture()[..., 0].astype(int)
    assert (picture()[..., 0] == picture()[..., 2]).all()
    assert grey[45, 45] > grey[64, 64] > grey[83, 83] >= 60


def test_the_nearest_surface_is_seen() -> None:
    assert np.array_equal(picture(far_sphere=True), picture())
