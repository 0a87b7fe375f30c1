"""An avatar at rest as Wavefront OBJ with its materials and textures, in millimetres: for sculpting and MetaHuman."""

from __future__ import annotations

import io

import numpy as np

from ..conventions import MM_PER_UNIT
from .avatar import Avatar
from .parts import EYELIDS
from .parts import MATERIALS as PART_MATERIALS
from .pictures import picture_bytes
from .still import HAIR, StillMesh, still_meshes

MATERIALS = (*dict.fromkeys(material for part, material in PART_MATERIALS.items() if part != EYELIDS), HAIR)
"""Materials that the files of an avatar may name."""


def avatar_obj(avatar: Avatar, stem: str) -> dict[str, bytes]:
    """Files by name: the mesh first, its materials, then the textures.

    Args:
        avatar: The avatar.
        stem: Beginning of all names.
    """
    meshes = still_meshes(avatar)
    textures: dict[str, bytes] = {}
    materials: list[str] = []
    for mesh in meshes:
        if mesh.material not in materials:
            materials.append(mesh.material)
            textures[texture_name(stem, mesh.material)] = picture_bytes(mesh.texture, kind="PNG")[0]
    library = "".join(_material(name, texture_name(stem, name)) for name in materials)
    return {f"{stem}.obj": _geometry(meshes, stem), f"{stem}.mtl": library.encode(), **textures}


def texture_name(stem: str, material: str) -> str:
    """Name of a texture's file."""
    return f"{stem}_{material}.png"


def _material(name: str, texture: str) -> str:
    return f"newmtl {name}\nKa 0 0 0\nKd 1 1 1\nKs 0.04 0.04 0.04\nNs 20\nillum 2\nmap_Kd {texture}\n\n"


def _geometry(meshes: list[StillMesh], stem: str) -> bytes:
    file = io.StringIO()
    file.write(f"# geoinv: millimetres, y up, the face to +z\nmtllib {stem}.mtl\n")
    places, textures = 1, 1  # OBJ counts from 1
    for mesh in meshes:
        file.write(f"o {mesh.name}\n")
        np.savetxt(file, mesh.positions * MM_PER_UNIT, fmt="v %.4f %.4f %.4f")
        np.savetxt(file, mesh.uvs, fmt="vt %.6f %.6f")
        np.savetxt(file, mesh.normals, fmt="vn %.4f %.4f %.4f")
        file.write(f"usemtl {mesh.material}\ns 1\n")
        corners = np.stack([mesh.triangles + places, mesh.uv_triangles + textures, mesh.triangles + places], axis=-1)
        np.savetxt(file, corners.reshape(-1, 9), fmt="f %d/%d/%d %d/%d/%d %d/%d/%d")
        places += len(mesh.positions)
        textures += len(mesh.uvs)
    return file.getvalue().encode()
