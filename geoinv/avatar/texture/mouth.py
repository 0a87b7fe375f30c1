"""Colours of what lies in the mouth: teeth with gums, which smiles show, and the tongue, which photos hardly do."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ...camera import Camera
from ...shape import HeadModel
from ...shape.inner_mouth import TEETH_TINT
from ..parts import LAYOUTS, TONGUE
from .picture_source import PictureSource
from .rasterise import Coverage, draw_triangles
from .skin import padded
from .surface import HeadSurface, Sighting, SkinTopology
from .surface_fields import smoothstep

TONGUE_SIZE = 256
_TONGUE_TIP, _TONGUE_ROOT = (158.0, 82.0, 82.0), (26.0, 8.0, 9.0)
_TONGUE_LIT = (0.25, 1.0)  # parts of the way from root to tip where light begins to reach it, and has all reached it
_TEETH_LIT = (0.45, 0.95)  # the same of teeth, from the last to the first: between cheeks they lie in the dark
_AT_BACK = 0.3  # of the light at the front teeth
_TONES = (0.45, 1.1)  # limits of the factor between the model's teeth and those of a photo
_LEAST_PIXELS = 60  # of teeth in a picture of a head
_PALE = 0.5  # largest difference between channels, of their mean
_RIM = (0.0, 0.002)  # parts of the view's side from the lips, where the photo of teeth begins, and where it is all
_BEHIND = 0.02  # world units (7 mm) behind what the photo shows that take its colours too: gaps and backs of teeth
_LIT = (
    0.35,
    0.7,
)  # brightness of the photo, of what is expected: below the first, lower teeth lie in the mouth's shade
_SEED = 11


def draw_tongue(model: HeadModel, size: int = TONGUE_SIZE) -> NDArray[np.uint8]:
    """Texture [size, size, 3] of the tongue: paler at its tip, with buds, and dark where no light comes.

    Its island fills the texture, as in :mod:`geoinv.avatar.parts`.
    """
    layout = LAYOUTS[TONGUE](model)
    places = layout.uvs.astype(np.float64) * (size, -size) + (0.0, size)
    depth = model.mean[layout.rows, 2].double().numpy()
    front = smoothstep((depth - depth.min()) / np.ptp(depth), *_TONGUE_LIT)[:, None]
    colours = np.asarray(_TONGUE_ROOT) * (1.0 - front) + np.asarray(_TONGUE_TIP) * front
    coverage = Coverage.of(draw_triangles(places, layout.triangles, (size, size)), places, layout.triangles)
    buds = np.random.default_rng(_SEED).normal(1.0, 0.035, len(coverage.pixels))[:, None]
    texture = np.zeros((size * size, 3), np.uint8)
    texture[coverage.pixels] = np.rint((coverage.bring(colours) * buds).clip(0.0, 255.0))
    return padded(texture.reshape(size, size, 3), coverage.pixels)


def teeth_colours(
    model: HeadModel,
    surface: HeadSurface,
    sighting: Sighting,
    camera: Camera,
    source: PictureSource,
    skin: NDArray[np.float64] | None,
) -> NDArray[np.float32]:
    """sRGB [T, 3] in [0, 1] of the fine teeth with gums: the photo's between the lips, and in their tone elsewhere.

    They get darker towards the back of the mouth, where less light comes.

    Args:
        model: Head model.
        surface: The fitted surface.
        sighting: The surface through the photo's camera.
        camera: That camera, of one view.
        source: The photo.
        skin: [3] the person's skin, 0 to 255, or None where it is not known.
    """
    with torch.no_grad():
        places = model.teeth.on(model.mean[None])[0].numpy()
    depth = places[:, 2]
    light = smoothstep((depth - depth.min()) / np.ptp(depth), *_TEETH_LIT)
    colours = model.teeth.colours.double().numpy() * (_AT_BACK + (1.0 - _AT_BACK) * light)[:, None]
    tone = _tone(colours, surface.topology, sighting, source, skin)
    colours *= tone
    seen, weight = _seen(surface, sighting, camera, source, len(colours))
    lower = model.parts["lower-teeth"].vertices
    hangs_on = model.teeth.anchors[:, 0].numpy()
    is_lower = (hangs_on >= lower.start) & (hangs_on < lower.stop)
    brightness = seen.mean(axis=1) / np.maximum(255.0 * colours.mean(axis=1), 1.0)
    weight *= np.where(is_lower, smoothstep(brightness, *_LIT), 1.0)[:, None]
    return np.asarray((colours + weight * (seen / 255.0 - colours)).clip(0.0, 1.0), dtype=np.float32)


def _seen(
    surface: HeadSurface, sighting: Sighting, camera: Camera, source: PictureSource, count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The photo's colours [T, 3] at the ``count`` vertices of the teeth, and how surely they are theirs, [T, 1]."""
    topology, shown = surface.topology, sighting.shown
    is_inside = np.append(topology.hidden[topology.triangles].all(axis=1), np.ones(len(topology.others), np.bool_))
    between_lips = (is_inside[shown] & (shown >= 0)).astype(np.uint8)
    rim = cv2.distanceTransform(between_lips, cv2.DIST_L2, cv2.DIST_MASK_5) / shown.shape[0]
    first = topology.first_tooth
    places, depth = surface.projected(camera, surface.vertices[first : first + count])
    weight = smoothstep(sighting.read(rim, places), *_RIM) * (depth < sighting.read(sighting.nearest, places) + _BEHIND)
    return source.colours(places).astype(np.float64), weight[:, None]


def _tone(
    colours: NDArray[np.float64],
    topology: SkinTopology,
    sighting: Sighting,
    source: PictureSource,
    skin: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    """Factors [3] from the model's teeth to those of the photo."""
    usual = np.asarray(TEETH_TINT)
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
