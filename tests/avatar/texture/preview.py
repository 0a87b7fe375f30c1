"""Pictures of a textured mesh without a GPU, to look at and to measure: nearest surface, texture, no light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from geoinv.avatar.texture.picture_source import PictureSource
from geoinv.avatar.texture.rasterise import Coverage
from geoinv.camera import Camera
from geoinv.images.depth_buffer import draw_surface


@dataclass(frozen=True, eq=False)
class TexturedPart:
    """A mesh with a texture, or with colours on its corners.

    Args:
        places: [M, 3] corners in world units.
        triangles: [F, 3] counter-clockwise from outside.
        uvs: [M, 2] places in the texture, the origin at its lower left.
        texture: [H, W, 3] uint8, or None.
        colours: [M, 3] sRGB in [0, 1] where there is no texture.
    """

    places: NDArray[np.floating]
    triangles: NDArray[np.integer]
    uvs: NDArray[np.floating]
    texture: NDArray[np.uint8] | None
    colours: NDArray[np.floating] | None = None


def draw_textured(
    parts: Sequence[TexturedPart], camera: Camera, side: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Picture [side, side, 3] of the parts through one camera, and where it shows them."""
    picture = np.zeros((side * side, 3), np.float32)
    best = np.full(side * side, np.inf, np.float32)
    for part in parts:
        places, depth = camera.project(torch.from_numpy(np.asarray(part.places, np.float32))[None])
        pixels = places[0].double().numpy() * side
        shown, nearest = draw_surface(pixels, depth[0].double().numpy(), part.triangles, (side, side))
        coverage = Coverage.of(shown, pixels, part.triangles)
        coverage = coverage[np.flatnonzero(nearest.ravel()[coverage.pixels] < best[coverage.pixels])]
        best[coverage.pixels] = nearest.ravel()[coverage.pixels]
        picture[coverage.pixels] = _colours(part, coverage)
    return np.rint(picture.clip(0.0, 255.0)).astype(np.uint8).reshape(side, side, 3), (
        np.isfinite(best).reshape(side, side)
    )


def _colours(part: TexturedPart, coverage: Coverage) -> NDArray[np.float32]:
    if part.texture is None:
        assert part.colours is not None
        return 255.0 * coverage.bring(part.colours)
    height, width = part.texture.shape[:2]
    source = PictureSource(part.texture, np.array([[width, 0.0, 0.0], [0.0, -height, height]], np.float64))
    return source.colours(coverage.bring(part.uvs))
