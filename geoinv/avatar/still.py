"""An avatar at rest as plain textured meshes, for formats without morph targets or colours on vertices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .avatar import Avatar
from .parts import EYELIDS, FloatArray, IntArray

HAIR = "hair"
"""Name of the mesh and the material of hair and clothes."""


@dataclass(frozen=True, eq=False)
class StillMesh:
    """A mesh with a texture.

    Args:
        name: Name of the mesh.
        material: Name of its material.
        positions: [V, 3] in world units.
        normals: [V, 3] unit vectors, outward.
        triangles: [F, 3] vertices, counter-clockwise from outside.
        uvs: [T, 2] places in the texture, the origin at its lower left.
        uv_triangles: [F, 3] rows of ``uvs`` of each triangle's corners.
        texture: [H, W, 3] uint8 sRGB, the first row at the top.
    """

    name: str
    material: str
    positions: FloatArray
    normals: FloatArray
    triangles: IntArray
    uvs: FloatArray
    uv_triangles: IntArray
    texture: NDArray[np.uint8]


def still_meshes(avatar: Avatar) -> list[StillMesh]:
    """All meshes of an avatar that are seen at rest, in its order, hair last; colours on vertices are textures."""
    meshes = []
    for part in avatar.parts:
        if part.name == EYELIDS:
            continue  # nobody sees these sheets while eyes are open
        if part.colours is None:
            uvs, uv_triangles, texture = part.uvs, part.triangles, avatar.textures[part.material]
        else:
            uvs, uv_triangles, texture = colour_atlas(part.colours, part.triangles)
        positions, normals, triangles = _welded(part.rows, part.positions, part.normals, part.triangles)
        meshes.append(StillMesh(part.name, part.material, positions, normals, triangles, uvs, uv_triangles, texture))
    if (hair := avatar.hair) is not None:
        atlas = colour_atlas(hair.colours, hair.triangles)
        meshes.append(StillMesh(HAIR, HAIR, hair.positions, hair.normals, hair.triangles, *atlas))
    return meshes


def colour_atlas(colours: FloatArray, triangles: IntArray) -> tuple[FloatArray, IntArray, NDArray[np.uint8]]:
    """A texture that shows colours on vertices just as they are interpolated over triangles.

    Each triangle has 2 x 2 texels of its own: its corners lie on three of their centres, and the fourth continues the
    plane through the three colours, so that bilinear interpolation gives the colours between.

    Args:
        colours: [V, 3] sRGB in [0, 1].
        triangles: [F, 3] vertices.

    Returns:
        Places [3 F, 2], the corners of each triangle in them [F, 3], and the texture [S, S, 3].
    """
    count = len(triangles)
    cells = int(np.ceil(np.sqrt(count)))
    side = 2 * cells
    row, column = np.divmod(np.arange(count), cells)
    a, b, c = (colours[triangles[:, k]] for k in range(3))
    texture = np.zeros((side, side, 3), np.float32)
    for down, right, colour in ((0, 0, a), (0, 1, b), (1, 0, c), (1, 1, b + c - a)):
        texture[2 * row + down, 2 * column + right] = colour
    corners = np.array([[0.5, 0.5], [1.5, 0.5], [0.5, 1.5]])  # (x, y) in the cell, y down
    places = (2.0 * np.stack([column, row], axis=1)[:, None] + corners) / side  # [F, 3, 2]
    places[..., 1] = 1.0 - places[..., 1]
    pixels = np.rint(255.0 * texture.clip(0.0, 1.0)).astype(np.uint8)
    return places.reshape(-1, 2).astype(np.float32), np.arange(3 * count, dtype=np.int64).reshape(-1, 3), pixels


def _welded(
    rows: IntArray, positions: FloatArray, normals: FloatArray, triangles: IntArray
) -> tuple[FloatArray, FloatArray, IntArray]:
    """The mesh without seams: one vertex for the corners of one row."""
    _, first, number = np.unique(rows, return_index=True, return_inverse=True)
    return positions[first], normals[first], np.asarray(number[triangles], np.int64)
