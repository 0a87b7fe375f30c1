"""Levels of detail of a head's mesh."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..conventions import MM_PER_UNIT
from .export import colours_of, to_trimesh
from .head_mesh import HeadMesh, vertex_normals
from .simplify import simplified

if TYPE_CHECKING:
    import trimesh


def with_fewer_faces(mesh: trimesh.Trimesh, faces: int) -> trimesh.Trimesh:
    """The mesh (in millimetres, see :func:`.extract.extract_mesh`) with about so many faces, closed as it was.

    Each vertex has the colour of the nearest old one.
    """
    from scipy.spatial import cKDTree

    old = np.asarray(mesh.vertices, np.float32) / np.float32(MM_PER_UNIT)
    vertices, triangles = simplified(old, np.asarray(mesh.faces, np.int64), faces)
    colours = colours_of(mesh)[cKDTree(old).query(vertices)[1]]
    return to_trimesh(HeadMesh(vertices, triangles, vertex_normals(vertices, triangles), colours))
