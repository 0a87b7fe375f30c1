"""Places of MediaPipe's 468 points on the head model, and where its detector sees them by yaw.

So the points are where *the detector* puts them on a head that is known, and its habits cancel out when a head is
fitted to its points on a photo. A point's place is the one on the surface that, seen through all cameras, is nearest
to where the detector saw it (a robust mean over the views in which it faces the camera). What is left over, by yaw,
is a mean offset and a scatter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..conventions import FOCAL
from ..shape import DetectorHabits
from .assets import FloatArray, IntArray
from .detector_sightings import YAWS_DEG, Sightings
from .plane_flow import behind
from .shape_basis import ModelMesh

_NEAR = 0.02  # of the crop's side (7 mm at the pivot): an error farther than that counts little more
_FACING = 0.35  # cosine between a point's normal and the direction to the camera from which it is seen well
_SEEN_OFTEN = 0.2  # part of the views
_NEIGHBOURS = 5  # vertices about whose triangles a place is sought
_DEEP = 0.04  # world units behind the foremost surface (15 mm): the inside of mouth and nose


def place_points(sightings: Sightings, mesh: ModelMesh) -> tuple[IntArray, FloatArray]:
    """Triangles [468] and barycentric weights [468, 3] of the detector's points on the model."""
    candidates = _candidates(sightings, mesh)
    frontal = (np.abs(sightings.yaw_rad) < np.radians(35.0)).astype(np.float32)
    used = np.repeat(frontal[:, None], sightings.landmarks.shape[1], 1)  # [N, 468]
    first = candidates[_vertex_costs(sightings, candidates, used).argmin(1)]
    facing = _facing(sightings, sightings.normals[:, first], sightings.vertices[:, first]) > _FACING
    is_seen = facing.mean(0) > _SEEN_OFTEN  # not so the edges of lips and nostrils, which look into the head
    used = np.where(is_seen, facing, used).astype(np.float32)
    costs = _vertex_costs(sightings, candidates, used)  # [468, C]
    skin = mesh.triangles[mesh.parts[0].triangles]
    triangles = np.empty(len(costs), np.int32)
    weights = np.empty((len(costs), 3), np.float32)
    for point, cost in enumerate(costs):
        near = candidates[np.argsort(cost)[:_NEIGHBOURS]]
        touching = np.flatnonzero(np.isin(skin, near).any(1))
        triangles[point], weights[point] = _best_place(sightings, skin[touching], touching, point, used[:, point])
    return triangles, weights


def detector_habits(sightings: Sightings, mesh: ModelMesh, triangles: IntArray, weights: FloatArray) -> DetectorHabits:
    """Places where the detector sees its points [468], against their places on the model, at ``YAWS_DEG``."""
    errors = placement_errors(sightings, mesh, triangles, weights)
    yaws = np.radians(np.asarray(YAWS_DEG, np.float64))
    step = yaws[1] - yaws[0]
    offset, deviation = [], []
    for yaw in yaws:  # medians leave out what went wholly astray
        near = errors[np.abs(sightings.yaw_rad - yaw) < 0.75 * step]
        offset.append(np.median(near, axis=0))
        scatter = np.median(np.linalg.norm(near - offset[-1], axis=-1), axis=0)
        deviation.append(scatter / 1.177)  # the median distance of two-dimensional errors of deviation 1
    tables = (torch.tensor(np.stack(table), dtype=torch.float32) for table in (offset, deviation))
    return DetectorHabits(torch.tensor(yaws, dtype=torch.float32), *tables)


def placement_errors(sightings: Sightings, mesh: ModelMesh, triangles: IntArray, weights: FloatArray) -> FloatArray:
    """[N, 468, 2] where the detector sees its points, less where they are, parts of the crop's side."""
    corners = mesh.triangles[triangles]
    places = np.einsum("hpkc,pk->hpc", sightings.vertices[:, corners], weights)[sightings.heads]
    projected = _project(places, sightings.cam2world)
    errors: FloatArray = sightings.landmarks - projected
    return errors


def _candidates(sightings: Sightings, mesh: ModelMesh) -> IntArray:
    """Vertices of the skin of the face, up to the ears and without what lies deep in mouth and nose."""
    mean = sightings.vertices.mean(0)
    is_face = (mean[:, 2] > 0.02) & (mean[:, 1] > -0.26) & (mean[:, 1] < 0.34) & (behind(mean) < _DEEP)
    is_face[mesh.parts[0].vertices.stop :] = False
    return np.flatnonzero(is_face).astype(np.int32)


def _vertex_costs(sightings: Sightings, candidates: IntArray, used: FloatArray) -> FloatArray:
    """[468, C] mean robust error of each point, were it at each candidate, over the views in ``used`` [N, 468]."""
    total = np.zeros((used.shape[1], len(candidates)), np.float32)
    for view in range(len(used)):
        places = sightings.vertices[sightings.heads[view], candidates]
        projected = _project(places[None], sightings.cam2world[view : view + 1])[0]
        seen = np.flatnonzero(used[view])
        gap = sightings.landmarks[view, seen, None] - projected[None]  # [S, C, 2]
        square = np.einsum("scd,scd->sc", gap, gap)
        total[seen] += square / (square + _NEAR**2)
    cost: FloatArray = (total / np.maximum(used.sum(0), 1.0)[:, None]).astype(total.dtype)
    return cost


def _facing(sightings: Sightings, normals: FloatArray, places: FloatArray) -> FloatArray:
    """[N, P] cosines between normals [H, P, 3] at places [H, P, 3] of each head and the direction to each camera."""
    to_camera = sightings.cam2world[:, None, :3, 3] - places[sightings.heads]
    cosine: FloatArray = (normals[sightings.heads] * to_camera).sum(-1) / np.linalg.norm(to_camera, axis=-1)
    return cosine


def _best_place(
    sightings: Sightings, corners: IntArray, numbers: NDArray[np.int_], point: int, used: FloatArray
) -> tuple[int, FloatArray]:
    """Triangle, one of ``numbers`` [T] with ``corners`` [T, 3], and weights [3] where a point fits best."""
    views = np.flatnonzero(used)
    places = sightings.vertices[sightings.heads[views][:, None, None], corners[None]]  # [N, T, 3, 3]
    flat = places.reshape(len(views), -1, 3)
    projected = _project(flat, sightings.cam2world[views]).reshape(*places.shape[:3], 2).transpose(1, 0, 2, 3)
    seen = sightings.landmarks[views, point]  # [N, 2]
    edges = projected[:, :, 1:] - projected[:, :, :1]  # [T, N, 2, 2]: two edges, x and y
    offset = seen - projected[:, :, 0]  # [T, N, 2]
    inside: NDArray[Any] = np.full((len(corners), 2), 1.0 / 3.0)
    for _ in range(8):
        left = offset - np.einsum("tnes,te->tns", edges, inside)
        robust = 1.0 / (1.0 + (left**2).sum(-1) / _NEAR**2) ** 2  # [T, N], Geman and McClure's weights
        normal = np.einsum("tn,tnes,tnfs->tef", robust, edges, edges) + 1e-9 * np.eye(2)
        inside = np.linalg.solve(normal, np.einsum("tn,tnes,tns->te", robust, edges, offset)[..., None])[..., 0]
        inside = inside.clip(0.0, None)
        inside /= np.maximum(inside.sum(1, keepdims=True), 1.0)
    left = offset - np.einsum("tnes,te->tns", edges, inside)
    square = (left**2).sum(-1)
    best = int((square / (square + _NEAR**2)).sum(1).argmin())
    u, v = inside[best]
    return int(numbers[best]), np.array([1.0 - u - v, u, v], np.float32)


def _project(points: FloatArray, cam2world: FloatArray) -> FloatArray:
    """Points [N, P, 3] of the world to parts of the picture's side [N, P, 2], each through its camera [N, 4, 4]."""
    local = np.einsum("npc,ncd->npd", points - cam2world[:, None, :3, 3], cam2world[:, :3, :3])
    projected: FloatArray = local[..., :2] / local[..., 2:] * FOCAL + 0.5
    return projected
