"""Mesh files: one table of formats, and one writer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingDependencyError, UsageError
from ..files import atomic_path
from .glb import glb_bytes
from .head_mesh import HeadMesh

if TYPE_CHECKING:
    import trimesh


@dataclass(frozen=True)
class MeshFormat:
    """A kind of file.

    Args:
        encode: Makes the file's bytes from a mesh in millimetres, y up; the same for the same mesh.
        unit: Unit of the file's coordinates.
    """

    encode: Callable[[trimesh.Trimesh], bytes]
    unit: Literal["mm", "m"] = "mm"


def write_mesh(path: Path, mesh: trimesh.Trimesh) -> None:
    """Write a mesh (see :func:`.extract.extract_mesh`) to ``path``, whole or not at all; the suffix picks the format.

    Raises:
        UsageError: A suffix that geoinv does not write.
    """
    path = Path(path)
    data = FORMATS[check_mesh_suffix(path)].encode(mesh)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def check_mesh_suffix(path: Path) -> str:
    """The lower-case suffix; ``UsageError`` unless geoinv writes it."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise UsageError(f"cannot write a mesh to {path}", f"give a path ending in {', '.join(FORMATS)}")
    return suffix


def to_trimesh(mesh: HeadMesh) -> trimesh.Trimesh:
    """Convert a mesh to a ``trimesh.Trimesh`` in millimetres.

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


def colours_of(mesh: trimesh.Trimesh) -> NDArray[np.uint8]:
    """Colours [V, 3] of a mesh's vertices."""
    visual: Any = mesh.visual
    return np.asarray(visual.vertex_colors)[:, :3]


def _ply(mesh: trimesh.Trimesh) -> bytes:
    return _bytes(mesh.export(file_type="ply"))


def _obj(mesh: trimesh.Trimesh) -> bytes:
    return _bytes(mesh.export(file_type="obj", digits=4, header="geoinv: millimetres, y up"))


def _stl(mesh: trimesh.Trimesh) -> bytes:
    return _bytes(mesh.export(file_type="stl"))


def _glb(mesh: trimesh.Trimesh) -> bytes:
    return glb_bytes(mesh.vertices / 1000.0, mesh.faces, mesh.vertex_normals, colours_of(mesh))


def _bytes(data: Any) -> bytes:  # str or bytes by format; trimesh types all of them alike
    return data.encode() if isinstance(data, str) else bytes(data)


FORMATS = {
    ".ply": MeshFormat(_ply),
    ".obj": MeshFormat(_obj),
    ".glb": MeshFormat(_glb, unit="m"),  # glTF's unit
    ".stl": MeshFormat(_stl),  # holds no colours
}
"""The formats by suffix; a new one is a line here and its function."""
