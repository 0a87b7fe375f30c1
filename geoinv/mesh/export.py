"""Mesh files in millimetres, y up, face to +z: .ply, .obj and .glb with colours, .stl without."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingDependencyError, UsageError
from ..files import atomic_path
from .head_mesh import HeadMesh

if TYPE_CHECKING:
    import trimesh

MESH_SUFFIXES = (".ply", ".obj", ".glb", ".stl")


def write_mesh(path: Path, mesh: trimesh.Trimesh) -> None:
    """Write a mesh (see :func:`.extract.extract_mesh`) to ``path``, whole or not at all; the suffix picks the format.

    Raises:
        UsageError: A suffix that geoinv does not write.
    """
    path = Path(path)
    data = encode_mesh(mesh, check_mesh_suffix(path))
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def check_mesh_suffix(path: Path) -> str:
    """The lower-case suffix; ``UsageError`` unless geoinv writes it."""
    suffix = Path(path).suffix.lower()
    if suffix not in MESH_SUFFIXES:
        raise UsageError(f"cannot write a mesh to {path}", f"give a path ending in {', '.join(MESH_SUFFIXES)}")
    return suffix


def encode_mesh(mesh: trimesh.Trimesh, suffix: str) -> bytes:
    """The file's bytes, the same for the same mesh."""
    options: dict[str, Any] = {}
    if suffix == ".obj":
        options = {"digits": 4, "header": "geoinv: millimetres, y up"}
    if suffix == ".glb":  # glTF holds linear colours, the others what a screen shows
        mesh = mesh.copy()
        colors: Any = mesh.visual
        colors.vertex_colors = _linear(np.asarray(colors.vertex_colors)[:, :3])
    data = mesh.export(file_type=suffix[1:], **options)
    return data.encode() if isinstance(data, str) else bytes(data)


def to_trimesh(mesh: HeadMesh) -> trimesh.Trimesh:
    """A ``trimesh.Trimesh`` in millimetres.

    Raises:
        MissingDependencyError: The package trimesh is missing.
    """
    try:
        import trimesh
    except ImportError as error:
        raise MissingDependencyError("meshes need the package trimesh", "pip install trimesh") from error
    return trimesh.Trimesh(
        vertices=mesh.vertices_mm,
        faces=mesh.faces,
        vertex_normals=mesh.normals,
        vertex_colors=mesh.colors,
        process=False,
    )


def _linear(colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """sRGB bytes to linear bytes."""
    values = colors / 255.0
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.round(linear * 255.0), dtype=np.uint8)
