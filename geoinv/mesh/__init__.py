"""Heads as closed, coloured triangle meshes: extraction from density, simplification, files."""

from .export import FORMATS, MeshFormat, check_mesh_suffix, write_mesh
from .extract import extract_head, extract_mesh
from .head_mesh import HeadMesh

__all__ = [
    "FORMATS",
    "HeadMesh",
    "MeshFormat",
    "check_mesh_suffix",
    "extract_head",
    "extract_mesh",
    "write_mesh",
]
