"""Levels of detail: an avatar with fewer triangles and smaller textures, that moves as the whole one does."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from ..mesh.head_mesh import vertex_normals
from ..shape import ARKIT_UNITS, HeadModel, load_head_model
from .avatar import Avatar
from .collapse import collapsed
from .eyelids import eyelids, sheets_of
from .hair import Hair, reduced_surface
from .parts import EYELIDS, LAYOUTS, SKIN, TEETH, AvatarPart, FloatArray, IntArray, within_box
from .template import all_vertices

_SHAPES = (
    ("jawOpen",),
    ("eyeBlinkLeft", "eyeBlinkRight"),
    ("mouthSmileLeft", "mouthSmileRight"),
    ("mouthPucker",),
    ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
)
"""Expressions that have to look right with fewer triangles too."""


def with_fewer_triangles(avatar: Avatar, fraction: float, hair_triangles: int) -> Avatar:
    """The avatar with a fraction of the triangles of skin and teeth, and about so many of hair.

    Args:
        avatar: The whole avatar.
        fraction: Part of the triangles of skin and teeth that is kept, up to 1. Which ones go is decided on the mean
            head: the same for all people.
        hair_triangles: Number of the hair's triangles.
    """
    parts, seen = [], avatar.seen
    for part in avatar.parts:
        if part.name in (SKIN, TEETH, EYELIDS) and fraction < 1.0:
            smaller, kept = _reduced(part, _triangles(load_head_model(), part.name, fraction))
            seen = seen[kept] if seen is not None and part.name == SKIN else seen
            parts.append(smaller)
        else:
            parts.append(part)
    hair = avatar.hair
    if hair is not None and len(hair.triangles) > hair_triangles:
        hair = _reduced_hair(hair, hair_triangles)
    return replace(avatar, parts=tuple(parts), seen=seen, hair=hair)


def with_smaller_textures(avatar: Avatar, most: int) -> Avatar:
    """The avatar with no texture of more than ``most`` texels a side."""
    return replace(avatar, textures={name: _shrunk(pixels, most) for name, pixels in avatar.textures.items()})


def _shrunk(pixels: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    import cv2

    height, width = pixels.shape[:2]
    if max(height, width) <= most:
        return pixels
    size = most * width // max(height, width), most * height // max(height, width)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


@lru_cache(maxsize=8)
@torch.no_grad()
def _triangles(model: HeadModel, name: str, fraction: float) -> IntArray:
    """[F', 3] corners of a part's triangles that are kept; lids have those of the skin, which they lie under."""
    if name == EYELIDS:
        return sheets_of(eyelids(model), _triangles(model, SKIN, fraction))
    layout = LAYOUTS[name](model)
    codes = model.mean_codes(1 + len(_SHAPES))
    for row, units in enumerate(_SHAPES, start=1):
        for unit in units:
            codes.expression[row, ARKIT_UNITS.index(unit)] = 1.0
    shapes: FloatArray = all_vertices(model, codes).numpy()[:, layout.rows]
    return collapsed(shapes, layout.triangles, int(fraction * len(layout.triangles)))


def _reduced(part: AvatarPart, triangles: IntArray) -> tuple[AvatarPart, IntArray]:
    """A part with other triangles between its corners, without those that are left over; and which are kept."""
    kept, renumbered = np.unique(within_box(triangles, part.positions), return_inverse=True)
    changed = replace(
        part,
        rows=part.rows[kept],
        positions=part.positions[kept],
        normals=part.normals[kept],
        uvs=part.uvs[kept],
        triangles=renumbered.reshape(-1, 3).astype(np.int64),
        colours=None if part.colours is None else part.colours[kept],
    )
    return changed, kept


def _reduced_hair(hair: Hair, triangles: int) -> Hair:
    """Hair with about so many triangles; colours and joints are those of the nearest old vertices."""
    from scipy.spatial import cKDTree

    positions, faces = reduced_surface(hair.positions, hair.triangles, triangles)
    nearest = cKDTree(hair.positions).query(positions)[1]
    return Hair(positions, vertex_normals(positions, faces), faces, hair.colours[nearest], hair.nearest[nearest])
