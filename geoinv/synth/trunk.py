"""Lids on the open ends of the trunk and the arms, so that nobody looks into a head from below."""

from __future__ import annotations

import numpy as np

from .assets import FloatArray, IntArray
from .geometry import Surface

_BELOW = -0.3
"""World units of height under which an open edge belongs to the trunk; eyes and mouth have open edges too."""


def trunk_caps(skin: Surface, vertices: FloatArray) -> IntArray:
    """Triangles [F, 3] of corners that close the lower openings of the skin, seen from both sides.

    Args:
        skin: Surface of the skin.
        vertices: [V, 3] vertices of the average head in world units.
    """
    welded = skin.source[skin.triangles]  # [F, 3] vertices
    corner_of = np.full(int(skin.source.max()) + 1, -1, np.int32)
    corner_of[skin.source] = np.arange(len(skin.source), dtype=np.int32)
    edges = np.concatenate([welded[:, [0, 1]], welded[:, [1, 2]], welded[:, [2, 0]]])
    _, first, counts = np.unique(np.sort(edges, axis=1), axis=0, return_index=True, return_counts=True)
    following = dict(edges[first[counts == 1]].tolist())  # each open edge, from its start to its end
    fans = [fan for loop in _loops(following) if vertices[loop, 1].mean() < _BELOW for fan in _fan(loop)]
    caps = corner_of[np.asarray(fans, np.int32).reshape(-1, 3)]
    closed: IntArray = np.concatenate([caps, caps[:, ::-1]])
    return closed


def _loops(following: dict[int, int]) -> list[list[int]]:
    """The closed loops of open edges, as vertices one after the other."""
    loops, left = [], dict(following)
    while left:
        start, place = left.popitem()
        loop = [start]
        while place != start and place in left:
            loop.append(place)
            place = left.pop(place)
        loops.append(loop)
    return loops


def _fan(loop: list[int]) -> list[tuple[int, int, int]]:
    """Triangles between opposite sides of a loop: a zigzag, which stays within long and narrow openings."""
    triangles, low, high = [], 0, len(loop) - 1
    while high - low > 1:
        triangles.append((loop[low], loop[low + 1], loop[high]))
        if high - low > 2:
            triangles.append((loop[low + 1], loop[high - 1], loop[high]))
        low, high = low + 1, high - 1
    return triangles
