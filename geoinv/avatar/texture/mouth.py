"""Colours of what lies in the mouth: teeth with gums, and the tongue. No photo shows enough of them to be used."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ...shape import HeadModel
from ..parts import LAYOUTS, TONGUE
from .picture_source import PictureSource
from .rasterise import Coverage, draw_triangles
from .skin import padded
from .surface import HeadSurface, Sighting, SkinTopology

TONGUE_SIZE = 256
_TONGUE_TIP, _TONGUE_ROOT = (158.0, 82.0, 82.0), (52.0, 18.0, 20.0)
_AT_BACK = 0.65  # of the light at the front teeth
_USUAL_TONE = 0.88
_TONES = (0.45, 1.1)  # limits of the factor between the model's teeth and those of a photo
_LEAST_PIXELS = 60  # of teeth in a picture of a head
_PALE = 0.5  # largest difference between channels, of their mean
_SEED = 11


def draw_tongue(model: HeadModel, size: int = TONGUE_SIZE) -> NDArray[np.uint8]:
    """Texture [size, size, 3] of the tongue: paler at its tip, with buds.

    Its island fills the texture, as in :mod:`geoinv.avatar.parts`.
    """
    layout = LAYOUTS[TONGUE](model)
    places = layout.uvs.astype(np.float64) * (size, -size) + (0.0, size)
    depth = model.mean[layout.rows, 2].double().numpy()
    front = ((depth - depth.min()) / np.ptp(depth))[:, None]
    colours = np.asarray(_TONGUE_ROOT) * (1.0 - front) + np.asarray(_TONGUE_TIP) * front
    coverage = Coverage.of(draw_triangles(places, layout.triangles, (size, size)), places, layout.triangles)
    buds = np.random.default_rng(_SEED).normal(1.0, 0.035, len(coverage.pixels))[:, None]
    texture = np.zeros((size * size, 3), np.uint8)
    texture[coverage.pixels] = np.rint((coverage.bring(colours) * buds).clip(0.0, 255.0))
    return padded(texture.reshape(size, size, 3), coverage.pixels)


def teeth_colours(
    model: HeadModel, surface: HeadSurface, sighting: Sighting, source: PictureSource, skin: NDArray[np.float64] | None
) -> NDArray[np.float32]:
    """sRGB [T, 3] in [0, 1] of the fine teeth with gums, in the tone of the photo's teeth where it shows any.

    They get darker towards the back of the mouth, where less light comes.

    Args:
        model: Head model.
        surface: The fitted surface.
        sighting: The surface through the photo's camera.
        source: The photo.
        skin: [3] the person's skin, 0 to 255, or None where it is not known.
    """
    with torch.no_grad():
        places = model.teeth.on(model.mean[None])[0].numpy()
    depth = places[:, 2]
    light = np.clip((depth - depth.min()) / np.ptp(depth), 0.0, 1.0)
    colours = model.teeth.colours.double().numpy() * (_AT_BACK + (1.0 - _AT_BACK) * light)[:, None]
    tone = _tone(colours, surface.topology, sighting, source, skin)
    return np.asarray((colours * tone).clip(0.0, 1.0), dtype=np.float32)


def _tone(
    colours: NDArray[np.float64],
    topology: SkinTopology,
    sighting: Sighting,
    source: PictureSource,
    skin: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    """Factors [3] from the model's teeth to those of the photo."""
    usual = np.full(3, _USUAL_TONE)
    if skin is None:
        return usual
    first = len(topology.triangles)
    is_teeth = (sighting.shown >= first) & (sighting.shown < first + topology.teeth_count)
    rows, columns = np.nonzero(cv2.erode(is_teeth.astype(np.uint8), np.ones((3, 3), np.uint8)))
    if len(rows) < _LEAST_PIXELS:
        return usual
    side = sighting.shown.shape[0]
    seen = source.colours((np.stack([columns, rows], axis=1) + 0.5) / side)
    corners = topology.others[sighting.shown[rows, columns] - first] - topology.first_tooth
    expected = 255.0 * colours[corners].mean(axis=1)
    found = _brightest(seen)
    # lips and gums are no teeth: those are paler than skin
    is_pale = np.ptp(found) < _PALE * found.mean() and found.mean() > skin.mean()
    return np.asarray(np.clip(found / _brightest(expected), *_TONES)) if is_pale else usual


def _brightest(colours: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean colour [3] of the brighter ones."""
    bright = colours.mean(axis=1)
    return np.asarray(colours[bright >= np.percentile(bright, 60)].mean(axis=0), np.float64)
