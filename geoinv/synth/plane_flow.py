"""The flow that brings a head's features to those of the average head on the three planes: the target of a generator's
warp.

The meshes of all heads share their vertices, so it is known where each vertex of the average head lies on another
head. Seen along an axis of the box, these displacements make a flow on a plane. It is smooth, except where several
depths share a place.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..conventions import BOX_SIDE
from .geometry import HeadGeometry, HeadShape

FLOW_SIDE = 64
"""Cells of a flow along a side of the box, 5.8 mm each."""
FLOW_SHAPE = (3, 2, FLOW_SIDE, FLOW_SIDE)

_BLURS = ((1.0, 1.0), (2.0, 0.1), (4.0, 0.01), (8.0, 0.001))
"""Blurs as (standard deviation in cells, weight): where no vertex is near, farther ones decide."""
_NOTHING = 1e-6
"""Weight of a flow of zero, which is what remains far from the head."""

_HIDDEN = 0.02
"""Weight of vertices that are hidden along the axis of a plane: they count only where no other vertex is."""
_THIN = 0.012
"""World units behind the foremost vertex within which others still count (4 mm)."""
_MIDDLE = 0.12
"""World units from the middle of the face within which vertices make its profile."""
_AXES = ([0, 1], [0, 2], [2, 1])
"""World axes of the columns and rows of each plane: those of :func:`geoinv.ops.sample_planes.sample_planes`."""

Flow = NDArray[np.float32]  # [3, 2, FLOW_SIDE, FLOW_SIDE] in units of half a box side


class PlaneFlow:
    """A function from the shape of a head to the flow on its planes.

    Args:
        geometry: The geometry that made the shapes; it gives the average head.
    """

    def __init__(self, geometry: HeadGeometry) -> None:
        self._surface = geometry.surfaces["skin"]
        self._average = geometry.average().vertices[self._surface.source]

    def __call__(self, shape: HeadShape) -> Flow:
        """Flow [3, 2, S, S] of a head: what to add to a column and row of each plane to come to the same feature of the
        average head. Columns and rows go from -1 to 1 over the box."""
        normals = self._surface.normals(shape.vertices)
        places = shape.vertices[self._surface.source]
        moved = self._average - places
        facing = normals[:, 2].clip(0.0, 1.0) * np.exp(-behind(places) / _THIN)
        # a plane keeps what is seen along its axis: the face from the front, all heights from above, and from the side
        # the profile
        middle = np.exp(-np.square(places[:, 0] / _MIDDLE))
        weights = (facing + _HIDDEN, np.ones_like(facing), (facing + 0.1) * middle + _HIDDEN)
        planes = [_spread(places[:, a], moved[:, a], weight) for a, weight in zip(_AXES, weights, strict=True)]
        return np.stack(planes) * np.float32(2.0 / BOX_SIDE)


def behind(places: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distance [N] of vertices [N, 3] behind the foremost one of their cell: lips hide what is in the mouth."""
    column, row = ((places[:, :2] / BOX_SIDE + 0.5) * FLOW_SIDE).astype(np.int64).clip(0, FLOW_SIDE - 1).T
    cell = row * FLOW_SIDE + column
    foremost = np.full(FLOW_SIDE * FLOW_SIDE, -np.inf, np.float32)
    np.maximum.at(foremost, cell, places[:, 2])
    behind: NDArray[np.float32] = foremost[cell] - places[:, 2]
    return behind


def _spread(places: NDArray[np.float32], moved: NDArray[np.float32], weight: NDArray[np.float32]) -> Flow:
    """Weighted mean displacement [2, S, S] of the vertices in every cell.

    Args:
        places: [N, 2] positions of the vertices on the plane in world units.
        moved: [N, 2] displacements of the vertices in world units.
        weight: [N] weights of the vertices.
    """
    cells = (places / BOX_SIDE + 0.5) * FLOW_SIDE - 0.5
    low = np.floor(cells).astype(np.int64)
    fraction = cells - low
    values = np.concatenate([moved, np.ones_like(moved[:, :1])], axis=1) * weight[:, None]
    grid = np.zeros((FLOW_SIDE * FLOW_SIDE, 3))
    for right in (0, 1):
        for down in (0, 1):
            part = np.abs(1 - right - fraction[:, 0]) * np.abs(1 - down - fraction[:, 1])
            column, row = (low + [right, down]).clip(0, FLOW_SIDE - 1).T
            index = row * FLOW_SIDE + column
            for k in range(3):
                grid[:, k] += np.bincount(index, part * values[:, k], FLOW_SIDE * FLOW_SIDE)
    picture = grid.reshape(FLOW_SIDE, FLOW_SIDE, 3)
    blurred = np.zeros_like(picture)
    for sigma, scale in _BLURS:
        blurred += scale * cv2.GaussianBlur(picture, (0, 0), sigma)
    return np.asarray(blurred[..., :2] / (blurred[..., 2:] + _NOTHING), np.float32).transpose(2, 0, 1)
