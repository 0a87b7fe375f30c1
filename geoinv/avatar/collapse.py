"""Fewer triangles without new vertices: a vertex at a time moves onto a neighbour, the least costly first.

What is left keeps its places in textures, its joints and its morph targets, since every vertex that remains is one of
the old ones. Costs are Garland and Heckbert's quadrics (SIGGRAPH 1997), summed over several shapes of the mesh, so that
lids and lips keep the triangles that they need to move.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from ..mesh.head_mesh import edges_of
from .parts import FloatArray, IntArray

_LEAST_TURN = 0.2  # cosine between a triangle's normals before and after a move


def collapsed(shapes: FloatArray, triangles: IntArray, target: int) -> IntArray:
    """About ``target`` of the triangles, of which some have other corners now.

    Vertices on open edges, which seams of textures are too, stay where they are.

    Args:
        shapes: [S, V, 3] places of the vertices in each shape; the first is the mesh at rest.
        triangles: [F, 3] corners.
        target: Number of triangles to end with; more are left where no further move is allowed.

    Returns:
        [F', 3] corners, rows of the same vertices.
    """
    return _Collapse(shapes, triangles).run(target)


class _Collapse:
    """Mesh in the making: triangles, and for each vertex the triangles about it."""

    def __init__(self, shapes: FloatArray, triangles: IntArray) -> None:
        self.shapes = np.ascontiguousarray(shapes.transpose(1, 0, 2), dtype=np.float64)  # [V, S, 3]
        self.triangles: list[list[int]] = triangles.tolist()
        self.is_alive = [True] * len(triangles)
        self.about: list[set[int]] = [set() for _ in range(len(self.shapes))]
        for number, triangle in enumerate(self.triangles):
            for corner in triangle:
                self.about[corner].add(number)
        self.quadrics = _quadrics(self.shapes, triangles)  # [V, S, 4, 4]
        self.is_locked = _on_open_edges(triangles, len(self.shapes))
        self.version = [0] * len(self.shapes)

    def run(self, target: int) -> IntArray:
        """Move vertices until ``target`` triangles are left."""
        left = len(self.triangles)
        queue: list[tuple[float, int, int, int]] = []
        for vertex in range(len(self.shapes)):
            queue += self._offers(vertex)
        heapq.heapify(queue)
        while queue and left > target:
            _, gone, onto, version = heapq.heappop(queue)
            if version != self.version[gone] + self.version[onto] or not self.about[gone] or not self.about[onto]:
                continue
            if not self._is_allowed(gone, onto):
                continue
            left -= self._move(gone, onto)
            for vertex in {onto} | self._neighbours(onto):
                self.version[vertex] += 1
            for vertex in {onto} | self._neighbours(onto):
                for offer in self._offers(vertex):
                    heapq.heappush(queue, offer)
        kept = [triangle for triangle, alive in zip(self.triangles, self.is_alive, strict=True) if alive]
        return np.asarray(kept, dtype=np.int64)

    def _neighbours(self, vertex: int) -> set[int]:
        return {corner for number in self.about[vertex] for corner in self.triangles[number]} - {vertex}

    def _offers(self, vertex: int) -> list[tuple[float, int, int, int]]:
        """(cost, vertex, neighbour, version) of the cheapest neighbours that the vertex may move onto."""
        if self.is_locked[vertex] or not self.about[vertex]:
            return []
        around = sorted(self._neighbours(vertex))
        costs = _errors(self.quadrics[vertex], self.shapes[around])
        found = sorted(zip(costs.tolist(), around, strict=True))[:3]
        return [(cost, vertex, onto, self.version[vertex] + self.version[onto]) for cost, onto in found]

    def _is_allowed(self, gone: int, onto: int) -> bool:
        """Whether the surface stays one sheet and no triangle turns over."""
        shared = self.about[gone] & self.about[onto]
        if len(shared) != 2 or len(self._neighbours(gone) & self._neighbours(onto)) != 2:
            return False
        moved = [self.triangles[number] for number in self.about[gone] - shared]
        if not moved:
            return False
        before = np.asarray(moved)
        after = np.where(before == gone, onto, before)
        old, new = (_normals(self.shapes[corners]) for corners in (before, after))  # [T, S, 3]
        length = np.linalg.norm(old, axis=-1) * np.linalg.norm(new, axis=-1)
        return bool(((old * new).sum(axis=-1) > _LEAST_TURN * length)[:, 0].all())

    def _move(self, gone: int, onto: int) -> int:
        """Move a vertex onto another; returns how many triangles that ends."""
        shared = self.about[gone] & self.about[onto]
        for number in shared:
            self.is_alive[number] = False
            for corner in self.triangles[number]:
                self.about[corner].discard(number)
        for number in self.about[gone]:
            self.triangles[number] = [onto if corner == gone else corner for corner in self.triangles[number]]
            self.about[onto].add(number)
        self.about[gone] = set()
        self.quadrics[onto] += self.quadrics[gone]
        return len(shared)


def _normals(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """[T, S, 3] normals, as long as twice the area, of triangles [T, 3, S, 3]."""
    return np.asarray(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))


def _quadrics(places: NDArray[np.float64], triangles: IntArray) -> NDArray[np.float64]:
    """[V, S, 4, 4] squared distances from the planes of the triangles about each vertex, weighted by their areas."""
    normals = _normals(places[triangles])
    area = np.linalg.norm(normals, axis=-1, keepdims=True)
    unit = normals / np.maximum(area, 1e-12)
    offset = -(unit * places[triangles[:, 0]]).sum(axis=-1, keepdims=True)
    plane = np.concatenate([unit, offset], axis=-1)  # [F, S, 4]
    of_triangles = area[..., None] * plane[..., :, None] * plane[..., None, :]
    quadrics = np.zeros((*places.shape[:2], 4, 4))
    for corner in range(3):
        np.add.at(quadrics, triangles[:, corner], of_triangles)
    return quadrics


def _errors(quadric: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N] errors of one vertex's quadric [S, 4, 4] at places [N, S, 3], summed over shapes."""
    whole = np.concatenate([places, np.ones((*places.shape[:2], 1))], axis=-1)
    return np.asarray(np.einsum("nsi,sij,nsj->n", whole, quadric, whole))


def _on_open_edges(triangles: IntArray, count: int) -> NDArray[np.bool_]:
    """[count] vertices of edges that belong to one triangle alone."""
    edges = np.sort(edges_of(triangles), axis=1)
    unique, times = np.unique(edges, axis=0, return_counts=True)
    is_open = np.zeros(count, bool)
    is_open[np.unique(unique[times != 2])] = True
    return is_open
