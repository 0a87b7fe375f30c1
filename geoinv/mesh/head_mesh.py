"""The mesh of a head in world units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..conventions import MM_PER_UNIT

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Float = TypeVar("Float", bound=np.floating)


@dataclass(frozen=True)
class HeadMesh:
    """A closed triangle mesh with a colour for each vertex; y up, face to +z.

    Args:
        vertices: [V, 3] float32 in world units.
        faces: [F, 3] int64, counter-clockwise from outside.
        normals: [V, 3] float32 unit vectors, outward.
        colors: [V, 3] uint8 RGB.
        mm_per_unit: Millimetres of a life-sized head in a world unit.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int64]
    normals: NDArray[np.float32]
    colors: NDArray[np.uint8]
    mm_per_unit: float = MM_PER_UNIT

    @property
    def vertices_mm(self) -> NDArray[np.float32]:
        """[V, 3] in millimetres of a life-sized head."""
        return np.asarray(self.vertices * np.float32(self.mm_per_unit), dtype=np.float32)

    @property
    def volume_mm3(self) -> float:
        """Enclosed volume; positive when faces look outward."""
        corners = self.vertices_mm[self.faces].astype(np.float64)  # [F, 3, 3]
        return float(np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6.0)


def vertex_normals(vertices: NDArray[np.float32], faces: NDArray[np.int64]) -> NDArray[np.float32]:
    """Area-weighted unit normals [V, 3]."""
    corners = vertices[faces].astype(np.float64)
    face_normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = np.stack(
        [np.bincount(faces.ravel(), np.repeat(face_normals[:, axis], 3), len(vertices)) for axis in range(3)], axis=1
    )
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    normals: NDArray[np.float32] = (sums / np.maximum(lengths, 1e-12)).astype(np.float32)
    return normals


def edges_of(faces: NDArray[np.int64]) -> NDArray[np.int64]:
    """[3 F, 2] start and end of each edge as its face runs along it: all first edges, all second, all third."""
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


def is_watertight(faces: NDArray[np.int64]) -> bool:
    """Whether every edge belongs to exactly two faces, which run along it in opposite directions."""
    if len(faces) == 0:
        return False
    directed = edges_of(faces)
    count = int(faces.max()) + 1
    forward = np.sort(directed[:, 0] * count + directed[:, 1])
    backward = np.sort(directed[:, 1] * count + directed[:, 0])
    has_repeats = bool((forward[1:] == forward[:-1]).any())
    return not has_repeats and bool((forward == backward).all())


def largest_component(
    vertices: NDArray[np.float32], faces: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The connected piece with the most faces, its vertices renumbered."""
    of_faces = pieces_of(faces, len(vertices))[faces[:, 0]]
    return compacted(vertices, faces[of_faces == np.bincount(of_faces).argmax()])


def pieces_of(faces: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """[count] number of the connected piece of each of so many vertices."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(edges), dtype=bool), (edges[:, 0], edges[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def neighbours_of(faces: NDArray[np.int64], count: int) -> csr_array:
    """[V, V] how many faces' edges run between two of so many vertices, counted in both directions."""
    from scipy.sparse import coo_array

    edges = edges_of(faces)
    edges = np.concatenate([edges, edges[:, ::-1]])
    return coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count)).tocsr()


def averaged(values: NDArray[Float], faces: NDArray[np.int64], rounds: int) -> NDArray[Float]:
    """Values [V] after some rounds of means over neighbours, so that what is cut by them has no jags."""
    near = neighbours_of(faces, len(values))
    count = np.maximum(near.sum(axis=1), 1.0)
    means = values
    for _ in range(rounds):
        means = 0.5 * (means + near @ means / count)
    return means.astype(values.dtype)


def compacted(vertices: NDArray[np.float32], faces: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Without the vertices that no face uses."""
    used, renumbered = np.unique(faces, return_inverse=True)
    return vertices[used], renumbered.reshape(-1, 3).astype(np.int64)
