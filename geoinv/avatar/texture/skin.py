"""The skin's texture: layers composed texel by texel, the rest filled smoothly, islands padded."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from .hair_grain import hair_grain
from .layers import Layer, matched
from .layout import skin_layout
from .rasterise import Coverage, draw_triangles
from .regions import SkinRegions, UsualColours
from .surface import HeadSurface, SkinTopology

_MOUTH_COLOUR, _THROAT_COLOUR = (62.0, 20.0, 22.0), (10.0, 3.0, 4.0)  # sRGB behind the lips, and where no light comes
_MOUTH_REACH, _THROAT_REACH = 0.012, 0.12  # world units behind the lips where their colour has gone, and all light
_CHUNK = 1 << 18  # texels at once


def skin_coverage(topology: SkinTopology, size: int) -> Coverage:
    """Which texels of a texture of ``size`` texels a side the skin covers, and with what."""
    places = skin_layout().astype(np.float64) * size
    places[:, 1] = size - places[:, 1]
    drawn = draw_triangles(places, topology.corner_triangles, (size, size))
    return Coverage.of(drawn, places, topology.corner_triangles, topology.count, topology.corner_vertices)


def compose_skin(
    surface: HeadSurface,
    layers: Sequence[Layer],
    regions: SkinRegions,
    usual: UsualColours | None,
    size: int,
    shade: NDArray[np.float64] | None = None,
) -> NDArray[np.uint8]:
    """Texture [size, size, 3] of the skin.

    Args:
        surface: The fitted surface.
        layers: Sources of colours, the surest first.
        regions: Regions of the skin.
        usual: Colours for what no layer knows, or None.
        size: Texels along a side.
        shade: [V] factors of light that are taken out; None leaves it in.
    """
    corrections, base = matched(surface, layers, regions, usual)
    base = _with_dark_mouth(surface, base)
    hair = regions.scalp * (0.0 if usual is None else usual.hairiness)
    rest = np.column_stack([base, hair, surface.vertices[: surface.topology.count]])
    coverage = skin_coverage(surface.topology, size)
    texture = np.zeros((size * size, 3), np.uint8)
    for start in range(0, len(coverage.pixels), _CHUNK):
        part = coverage[start : start + _CHUNK]
        colours = _composed(part, layers, corrections, rest)
        if shade is not None:
            colours /= part.bring(shade[:, None])
        texture[part.pixels] = np.clip(np.rint(colours), 0.0, 255.0)
    return padded(texture.reshape(size, size, 3), coverage.pixels)


def _composed(
    coverage: Coverage, layers: Sequence[Layer], corrections: Sequence[NDArray[np.float64]], rest: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Colours [N, 3] at the texels; ``rest`` [V, 7] holds colours, whether hair grows there, and places."""
    mixed = np.zeros((len(coverage.pixels), 3), np.float32)
    left = np.ones(len(coverage.pixels), np.float32)
    for layer, correction in zip(layers, corrections, strict=True):
        weight = coverage.bring(layer.weight[:, None])[:, 0].clip(0.0, 1.0) * left
        used = np.flatnonzero(weight > 1.0 / 512.0)
        if not len(used):
            continue
        part = coverage[used]
        colours, further = layer.texels(part)
        share = (weight[used] * further)[:, None]
        mixed[used] += share * (colours + part.bring(correction)).clip(0.0, 255.0)
        left[used] -= share[:, 0]
    unknown = np.flatnonzero(left > 1.0 / 512.0)
    brought = coverage[unknown].bring(rest)
    colours = brought[:, :3]
    grows = np.flatnonzero(brought[:, 3] > 0.0)
    grain = hair_grain(brought[grows, 4:])
    colours[grows] *= 1.0 + brought[grows, 3:4] * (grain[:, None] - 1.0)
    mixed[unknown] += left[unknown, None] * colours
    return mixed


def _with_dark_mouth(surface: HeadSurface, colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours [V, 3] that go over into the mouth's behind the lips, and into the dark of the throat."""
    mouth = surface.topology.mouth
    depth = surface.fields.distance(~mouth, 1.5 * _THROAT_REACH)
    for colour, start, stop in ((_MOUTH_COLOUR, 0.0, _MOUTH_REACH), (_THROAT_COLOUR, _MOUTH_REACH, _THROAT_REACH)):
        dark = np.clip((depth - start) / (stop - start), 0.0, 1.0)[:, None] * mouth[:, None]
        colours = colours * (1.0 - dark) + np.array(colour) * dark
    return colours


def padded(texture: NDArray[np.uint8], covered: NDArray[np.integer]) -> NDArray[np.uint8]:
    """The texture [S, S, 3] with the colour of the nearest covered texel in all others, so that no background shows."""
    empty = np.ones(texture.shape[:2], np.uint8)
    empty.ravel()[covered] = 0
    _, nearest = cv2.distanceTransformWithLabels(empty, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL)
    of_label = np.zeros(int(nearest.max()) + 1, np.int64)
    of_label[nearest.ravel()[covered]] = covered
    return np.asarray(texture.reshape(-1, 3)[of_label[nearest]], np.uint8)
