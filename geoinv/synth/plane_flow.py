"""How a head's features lie on the three planes, against those of the average head: what a generator's warp should do.

The meshes of all heads share their vertices, so where a vertex of the average head has gone is known. Seen along each
axis of the box that makes a flow on a plane, smooth but for what lies behind one another.
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
"""(standard deviation in cells, weight): where no vertex is near, farther ones decide."""
_NOTHING = 1e-6
"""Weight of no flow, which is what is left far from the head."""

_HIDDEN = 0.02
"""Weight of vertices that are not seen along the axis of a plane, where no other is."""
_THIN = 0.012
"""World units behind the foremost vertex within which others still count, 4 mm."""
_MIDDLE = 0.12
"""World units from the middle of the face within which vertices make its profile."""
_AXES = ([0, 1], [0, 2], [2, 1])
"""Column and row of each plane, as axes of the world: those of :func:`geoinv.ops.sample_planes.sample_planes`."""

Flow = NDArray[np.float32]  # [3, 2, FLOW_SIDE, FLOW_SIDE] in units of half a box side


class PlaneFlow:
    """Shape of a head -> where each place on its planes lies on those of the average head."""

    def __init__(self, geometry: HeadGeometry) -> None:
        self._surface = geometry.surfaces["skin"]
        self._average = geometry.average().vertices[self._surface.source]

    def __call__(self, shape: HeadShape) -> Flow:
        """[3, 2, S, S]: columns and rows to add to a place in [-1, 1], the box's half side being the unit."""
        normals = self._surface.normals(shape.vertices)
        places = shape.vertices[self._surface.source]
        moved = self._average - places
        facing = normals[:, 2].clip(0.0, 1.0) * np.exp(-_behind(places) / _THIN)
        # a plane keeps what is seen along its axis: the face from the front, all heights from above, and from the side
        # the profile
        middle = np.exp(-np.square(places[:, 0] / _MIDDLE))
        weights = (facing + _HIDDEN, np.ones_like(facing), (facing + 0.1) * middle + _HIDDEN)
        planes = [_spread(places[:, a], moved[:, a], weight) for a, weight in zip(_AXES, weights, strict=True)]
        return np.stack(planes) * np.float32(2.0 / BOX_SIDE)


def _behind(places: NDArray[np.float32]) -> NDArray[np.float32]:
    """[N] how far vertices [N, 3] lie behind the foremost one of their cell: lips hide what is in the mouth."""
    column, row = ((places[:, :2] / BOX_SIDE + 0.5) * FLOW_SIDE).astype(np.int64).clip(0, FLOW_SIDE - 1).T
    cell = row * FLOW_SIDE + column
    foremost = np.full(FLOW_SIDE * FLOW_SIDE, -np.inf, np.float32)
    np.maximum.at(foremost, cell, places[:, 2])
    behind: NDArray[np.float32] = foremost[cell] - places[:, 2]
    return behind


def _spread(places: NDArray[np.float32], moved: NDArray[np.float32], weight: NDArray[np.float32]) -> Flow:
    """Vertices at places [N, 2] moved by [N, 2] -> their weighted mean in every cell, [2, S, S]."""
    cells = (places / BOX_SIDE + 0.5) * FLOW_SIDE - 0.5
    low = np.floor(cells).astype(np.int64)
    share = cells - low
    values = np.concatenate([moved, np.ones_like(moved[:, :1])], axis=1) * weight[:, None]
    grid = np.zeros((FLOW_SIDE * FLOW_SIDE, 3))
    for right in (0, 1):
        for down in (0, 1):
            part = np.abs(1 - right - share[:, 0]) * np.abs(1 - down - share[:, 1])
            column, row = (low + [right, down]).clip(0, FLOW_SIDE - 1).T
            index = row * FLOW_SIDE + column
            for k in range(3):
                grid[:, k] += np.bincount(index, part * values[:, k], FLOW_SIDE * FLOW_SIDE)
    picture = grid.reshape(FLOW_SIDE, FLOW_SIDE, 3)
    blurred = np.zeros_like(picture)
    for sigma, scale in _BLURS:
        blurred += scale * cv2.GaussianBlur(picture, (0, 0), sigma)
    return np.asarray(blurred[..., :2] / (blurred[..., 2:] + _NOTHING), np.float32).transpose(2, 0, 1)
