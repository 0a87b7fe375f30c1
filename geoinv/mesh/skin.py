"""Skin as smooth as the head mesh: where a surface that marching cubes found is its skin, it is put onto that mesh.

Density is known in cells, and its level sets have their steps: rings on foreheads, folds on cheeks. Each vertex is
moved along the head mesh's normal to the mean of the planes of the mesh about it (implicit moving least squares:
Kolluri, SODA 2005), if it lies near these; hair and clothes, which lie farther out, stay.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..conventions import MM_PER_UNIT
from ..shape import HeadModel
from .head_mesh import averaged, compacted, pieces_of, vertex_normals

_NEAR, _FAR = 1.0 / MM_PER_UNIT, 2.5 / MM_PER_UNIT
"""Distances (1 and 2.5 mm) from the head mesh: up to the first all of the way is gone, from the second on none."""
_SPREAD, _REACH, _SAMPLES = 1.2 / MM_PER_UNIT, 4.0 / MM_PER_UNIT, 12
"""Spread of the weights of the mesh's samples about a vertex, how far away they may be, and how many count."""
_ALIKE = (0.2, 0.7)  # cosines between normals: skin of the other lip is none, skin of the same cheek is
_SUBDIVISIONS = 2  # the mesh's triangles are 4 mm wide on cheeks
_RINGS = 4  # of triangles within which the move goes over into none

FloatArray = NDArray[np.float64]


def put_on_skin(
    vertices: NDArray[np.float32], faces: NDArray[np.int64], template: NDArray[np.float32], triangles: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Vertices [V, 3] of a closed surface, those of skin on the head mesh; faces stay what they are.

    Args:
        vertices: [V, 3] of the surface, world units.
        faces: [F, 3] of the surface.
        template: [T, 3] vertices of the head mesh.
        triangles: [G, 3] those of its triangles that are skin seen from outside.
    """
    distance, normals, share = _way_to(*_sampled(template, triangles), vertices, vertex_normals(vertices, faces))
    share = np.minimum(share, _ramp(averaged(share, faces, _RINGS), 0.5, 1.0))  # 0 where some ring away it is 0
    return (vertices - (share * distance)[:, None] * normals).astype(np.float32)


@lru_cache(maxsize=2)
def outer_triangles(model: HeadModel) -> NDArray[np.int64]:
    """[G, 3] vertices of the skin's triangles that are seen from outside: not those within mouth and eye sockets, which
    are islands of their own in the texture's map."""
    part = model.parts["skin"]
    corners = model.corner_triangles[part.triangles].numpy()
    of_head, of_body = islands_of(corners, len(model.corner_vertices[part.corners]))[:2]
    is_outer = np.isin(corners[:, 0], np.concatenate([of_head, of_body]))
    return np.asarray(model.corner_vertices.numpy()[corners[is_outer]])


def islands_of(corner_triangles: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    """Corners of each island of the texture's map, the largest island first."""
    labels = pieces_of(corner_triangles, count)
    return [np.flatnonzero(labels == label) for label in np.argsort(-np.bincount(labels), kind="stable")]


def _sampled(template: NDArray[np.float32], triangles: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """Places and normals of the head mesh, subdivided (Loop, 1987)."""
    from trimesh.remesh import subdivide_loop

    places, finer = subdivide_loop(*compacted(template, triangles), iterations=_SUBDIVISIONS)  # type: ignore[no-untyped-call]
    return places, vertex_normals(places, finer).astype(np.float64)


def _way_to(
    places: FloatArray, normals: FloatArray, vertices: NDArray[np.float32], own: NDArray[np.float32]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Distance [V] of vertices before the surface of samples, its normal there [V, 3], and how surely they are of it
    [V]."""
    from scipy.spatial import cKDTree

    tree = cKDTree(places)
    distance, mean, share = np.zeros(len(vertices)), np.zeros((len(vertices), 3)), np.zeros(len(vertices))
    near = np.flatnonzero(np.isfinite(tree.query(vertices, distance_upper_bound=_REACH)[0]))
    if len(near) == 0:
        return distance, mean, share
    away, found = tree.query(vertices[near], k=_SAMPLES, distance_upper_bound=_REACH)
    is_there = np.isfinite(away)
    found = np.where(is_there, found, 0)
    cosine = np.einsum("vkc,vc->vk", normals[found], own[near])
    weights = np.exp(-0.5 * (np.where(is_there, away, 0.0) / _SPREAD) ** 2) * is_there * _ramp(cosine, *_ALIKE)
    total = weights.sum(axis=1)
    offsets = ((vertices[near][:, None] - places[found]) * normals[found]).sum(axis=-1)
    distance[near] = (weights * offsets).sum(axis=1) / np.maximum(total, 1e-9)
    sums = (weights[..., None] * normals[found]).sum(axis=1)
    mean[near] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    share[near] = (1.0 - _ramp(np.abs(distance[near]), _NEAR, _FAR)) * _ramp(total, 0.0, 0.3)
    return distance, mean, share


def _ramp(values: FloatArray, start: float, stop: float) -> FloatArray:
    """0 up to ``start``, 1 from ``stop`` on, a straight line between."""
    return np.clip((values - start) / (stop - start), 0.0, 1.0)
