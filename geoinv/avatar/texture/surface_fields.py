"""Smooth numbers on a mesh: distances along it, and values carried from where they are known to everywhere.

All is done on vertices, which know no seams of the texture: what is smooth here shows none there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csc_array, csr_array, diags_array
from scipy.sparse.csgraph import dijkstra
from scipy.sparse.linalg import splu

from ...mesh.head_mesh import edges_of

FloatArray = NDArray[np.floating]
_SHORT = 1e-6  # world units: no edge counts as shorter
_FAINT = 1e-6  # data of less weight are no data


class SurfaceFields:
    """Fields on the vertices of one mesh.

    Args:
        vertices: [V, 3] in world units.
        triangles: [F, 3].
    """

    def __init__(self, vertices: FloatArray, triangles: NDArray[np.int64]) -> None:
        count = len(vertices)
        edges = edges_of(triangles)
        lengths = np.maximum(np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1), _SHORT)
        edges = np.concatenate([edges, edges[:, ::-1]])
        # one entry an edge: most edges are of two triangles, and duplicates would add up
        _, first = np.unique(edges[:, 0] * count + edges[:, 1], return_index=True)
        edges, lengths = edges[first], np.tile(lengths, 2)[first]
        self._lengths = coo_array((lengths, (edges[:, 0], edges[:, 1])), shape=(count, count)).tocsr()
        near = coo_array((1.0 / lengths, (edges[:, 0], edges[:, 1])), shape=(count, count)).tocsr()
        total = np.asarray(near.sum(axis=1)).ravel()
        self._laplacian: csr_array = (diags_array(total) - near).tocsr()
        self._scale = np.where(total > 0.0, total, 1.0)

    def distance(self, sources: NDArray[np.bool_], limit: float = np.inf) -> NDArray[np.float64]:
        """[V] distance along edges from the nearest source [V], infinite beyond ``limit`` and where there is none."""
        if not sources.any():
            return np.full(len(sources), np.inf)
        found = dijkstra(self._lengths, directed=False, indices=np.flatnonzero(sources), min_only=True, limit=limit)
        return np.asarray(found)

    def spread(self, values: FloatArray, weight: FloatArray, stiffness: float) -> NDArray[np.float64]:
        """The smoothest field [V, C] near ``values`` [V, C], as far as their ``weight`` [V] goes.

        Where the weight is 0, the field is that of a membrane held at the rest. Pieces of the mesh without any data are
        0.

        Args:
            values: [V, C] data.
            weight: [V] from 0 to 1.
            stiffness: How much data are smoothed: 0 keeps them, 1 takes a mean of each with its neighbours.
        """
        weight = np.where(weight > _FAINT, weight, 0.0)
        stretched = diags_array(1.0 / self._scale) @ self._laplacian
        normal = diags_array(weight) + (max(stiffness, _FAINT) * stretched)
        system: csc_array = (normal + 1e-9 * diags_array(np.ones(len(weight)))).tocsc()
        return np.asarray(splu(system).solve(np.ascontiguousarray(weight[:, None] * values, dtype=np.float64)))


def smoothstep(
    values: FloatArray | np.floating, start: FloatArray | float, stop: FloatArray | float
) -> NDArray[np.float64]:
    """0 up to ``start``, 1 from ``stop`` on, smooth between."""
    t = np.clip((values - start) / (np.asarray(stop) - start), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))
