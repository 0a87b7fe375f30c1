"""Meshes as grey pictures, shaded as plaster is: shape without colours."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..camera import Camera
from .pictures import Picture

_MOST_STEPS = 12
_LIGHT = np.array([-0.45, -0.6, -0.66])  # where it comes from in the camera's axes: left, above, behind the camera
_AMBIENT, _DIRECT = 60.0, 175.0


def shaded_mesh(
    vertices: NDArray[np.float32],  # [V, 3] in world units
    faces: NDArray[np.int64],  # [F, 3]
    normals: NDArray[np.float32],  # [V, 3] unit vectors, outward
    camera: Camera,
    side: int,
) -> Picture:
    """[side, side, 3] the mesh in matt grey over white through one camera, lit from above its left shoulder.

    Every triangle is covered with points closer than pixels, and each pixel shows its nearest point.
    """
    cam2world = camera.cam2world[0].cpu().numpy().astype(np.float64)
    world = torch.from_numpy(vertices)[None].to(camera.cam2world)
    places, depths = camera.project(world)
    pixels = places[0].cpu().numpy().astype(np.float64) * side  # [V, 2]
    light = cam2world[:3, :3] @ (_LIGHT / np.linalg.norm(_LIGHT))
    brightness = _AMBIENT + _DIRECT * np.clip(normals @ light, 0.0, 1.0)
    values = np.column_stack([pixels, depths[0].cpu().numpy(), brightness])  # [V, 4]
    corners = values[_seen_from(cam2world[:3, 3], vertices, faces)]  # [F, 3, 4]
    longest = np.abs(corners[:, :, :2] - np.roll(corners[:, :, :2], 1, axis=1)).max(axis=(1, 2), initial=0.0)
    steps = np.clip(np.ceil(1.5 * longest), 1, _MOST_STEPS).astype(np.int64)
    points = np.concatenate([_points(corners[steps == n], n) for n in np.unique(steps)] or [np.zeros((0, 4))])
    columns, rows = np.floor(points[:, 0]).astype(np.int64), np.floor(points[:, 1]).astype(np.int64)
    inside = (columns >= 0) & (columns < side) & (rows >= 0) & (rows < side)
    points, cells = points[inside], (rows * side + columns)[inside]
    farthest_first = np.argsort(-points[:, 2], kind="stable")
    grey = np.full(side * side, 255.0)
    grey[cells[farthest_first]] = points[farthest_first, 3]  # of equal cells the last, which is the nearest, stays
    return np.repeat(np.round(grey).astype(np.uint8).reshape(side, side, 1), 3, axis=2)


def _seen_from(
    origin: NDArray[np.float64], vertices: NDArray[np.float32], faces: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The faces [F, 3] that turn to a place."""
    a, b, c = (vertices[faces[:, corner]].astype(np.float64) for corner in range(3))
    outward = np.cross(b - a, c - a)
    seen: NDArray[np.int64] = faces[((origin - a) * outward).sum(axis=1) > 0.0]
    return seen


def _points(corners: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """[F * P, 4] values at points spread over triangles [F, 3, 4], ``steps`` along each edge."""
    first, second = np.meshgrid(np.arange(steps + 1), np.arange(steps + 1), indexing="ij")
    kept = first + second <= steps
    weights = np.stack([first[kept], second[kept], steps - first[kept] - second[kept]], axis=1) / steps  # [P, 3]
    points: NDArray[np.float64] = np.einsum("pk,fkv->fpv", weights, corners).reshape(-1, corners.shape[-1])
    return points
