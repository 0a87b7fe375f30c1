"""Triangles drawn into pictures of what is nearest to a camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]
IntArray = NDArray[np.integer]

_AT_ONCE = 1 << 20  # candidate pixels at once
_EDGE = 1e-4  # so that no pixel falls between two triangles


def draw_surface(
    places: FloatArray, depth: FloatArray, triangles: IntArray, size: tuple[int, int]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Picture of the nearest triangles that face the camera, and its depth, infinite beside them: a depth buffer.

    Args:
        places: [V, 2] pixels (x, y).
        depth: [V] along the optical axis.
        triangles: [F, 3] vertices, counter-clockwise seen from outside.
        size: Width and height.
    """
    width, height = size
    kept = np.flatnonzero(_may_be_seen(places, triangles, size))
    corners = places[triangles[kept]]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    # pixels whose centre lies within the box of a triangle: first, and one beyond the last
    first = np.ceil(corners.min(axis=1) - 0.5).clip(0, (width, height)).astype(np.int64)
    beyond = (np.floor(corners.max(axis=1) - 0.5) + 1).clip(0, (width, height)).astype(np.int64)
    spans = (beyond - first).clip(min=0)
    counts = spans[:, 0] * spans[:, 1]
    faces = np.flatnonzero((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < -1e-9) & (counts > 0))  # rows of a picture go down
    kept, first, spans, counts = kept[faces], first[faces], spans[faces], counts[faces]
    maps = barycentric_maps(places, triangles[kept])
    # depth is flat in the picture but for the perspective, which is nothing within a triangle this small
    planes = np.einsum("fi,fij->fj", depth[triangles[kept]], maps).astype(np.float32)
    maps = maps.astype(np.float32)
    nearest = np.full(width * height, np.inf, np.float32)
    shown = np.full(width * height, -1, np.int32)
    ends = np.cumsum(counts)
    full = np.searchsorted(ends, np.arange(_AT_ONCE, ends[-1] if len(ends) else 0, _AT_ONCE))
    for group in np.split(np.arange(len(kept)), full):
        which = np.repeat(group, counts[group])
        within = np.arange(len(which)) - np.repeat(np.cumsum(counts[group]) - counts[group], counts[group])
        columns = first[which, 0] + within % spans[which, 0]
        rows = first[which, 1] + within // spans[which, 0]
        x, y = columns.astype(np.float32) + 0.5, rows.astype(np.float32) + 0.5
        inside = np.ones(len(which), np.bool_)
        for corner in range(3):
            line = maps[which, corner]
            inside &= line[:, 0] * x + line[:, 1] * y + line[:, 2] >= -_EDGE
        which, pixels, x, y = which[inside], (rows * width + columns)[inside], x[inside], y[inside]
        plane = planes[which]
        found = plane[:, 0] * x + plane[:, 1] * y + plane[:, 2]
        np.minimum.at(nearest, pixels, found)
        won = found == nearest[pixels]
        shown[pixels[won]] = kept[which[won]]
    return shown.reshape(height, width), nearest.reshape(height, width)


def barycentric_maps(places: FloatArray, triangles: IntArray) -> NDArray[np.float64]:
    """[F, 3, 3] that take (x, y, 1) to barycentric weights; those of triangles without area give a corner."""
    corners = np.ones((len(triangles), 3, 3))
    corners[:, :2] = places[triangles].transpose(0, 2, 1)
    flat = np.abs(np.linalg.det(corners)) < 1e-6
    corners[flat] = np.eye(3)
    maps = np.linalg.inv(corners)
    maps[flat] = ((0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    return np.asarray(maps)


def _may_be_seen(places: FloatArray, triangles: IntArray, size: tuple[int, int]) -> NDArray[np.bool_]:
    """[F] triangles whose corners are not all beyond one and the same side of a picture."""
    (x, y), (width, height) = places.T, size
    sides = (x < 0) | (x > width) << 1 | (y < 0) << 2 | (y > height) << 3
    first, second, third = sides.astype(np.uint8)[triangles].T
    return np.asarray((first & second & third) == 0)


def values_at(
    places: FloatArray, triangles: IntArray, shown: IntArray, x: FloatArray, y: FloatArray, values: FloatArray
) -> NDArray[np.float32]:
    """Values of a surface at pixels, given those of its vertices.

    Args:
        places: [V, 2] pixels (x, y), as drawn.
        triangles: [F, 3] vertices, as drawn.
        shown: [N] triangle that each pixel shows.
        x: [N] where each pixel is.
        y: [N] the same of rows.
        values: [V, C] of the vertices.

    Returns:
        [N, C]
    """
    used, rows = np.unique(shown, return_inverse=True)
    maps = barycentric_maps(places, triangles[used])[rows]
    weights = np.einsum("nij,nj->ni", maps, np.stack([x, y, np.ones(len(x))], axis=1)).clip(0.0, 1.0)
    return np.asarray(np.einsum("nk,nkc->nc", weights, values[triangles[shown]]), np.float32)
