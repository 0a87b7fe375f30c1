"""Heads as closed, coloured triangle meshes: extraction from density, simplification, files."""

from .export import MESH_SUFFIXES, check_mesh_suffix, write_mesh
from .extract import extract_head, extract_mesh
from .head_mesh import HeadMesh

__all__ = [
    "MESH_SUFFIXES",
    "HeadMesh",
    "check_mesh_suffix",
    "extract_head",
    "extract_mesh",
    "write_mesh",
]
