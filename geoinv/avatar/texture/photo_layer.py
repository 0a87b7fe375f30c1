"""What the photo itself shows of the skin, and its mirror image for the other side."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from .layers import Layer
from .person_colours import ExpectedSkin
from .picture_source import PictureSource
from .rasterise import Coverage
from .regions import SkinRegions
from .seen import is_shown, seen_weights
from .surface import HeadSurface, Sighting

_RAMP = 0.012  # parts of the view's side (6 px of 512) within the outline over which trust grows
_MIRROR_TRUST = 0.9  # what is seen itself comes first


def photo_layer(
    surface: HeadSurface,
    sighting: Sighting,
    source: PictureSource,
    shows_person: NDArray[np.bool_],
    regions: SkinRegions,
    skin: ExpectedSkin,
) -> Layer:
    """The photo's own colours where it saw the skin.

    Args:
        surface: The fitted surface.
        sighting: The surface through the photo's camera.
        source: The photo.
        shows_person: [S, S] where the view shows the person.
        regions: Regions of the skin.
        skin: What bare skin should look like.
    """
    itself = np.arange(surface.topology.count)
    weight = seen_weights(surface, sighting, shows_person, regions, skin.covered)
    texels = _texels(surface, sighting, source, shows_person, skin, itself)
    return Layer(weight, source.colours(sighting.places).astype(np.float64), texels)


def mirrored_layer(
    surface: HeadSurface,
    sighting: Sighting,
    source: PictureSource,
    shows_person: NDArray[np.bool_],
    skin: ExpectedSkin,
    photo: Layer,
) -> Layer:
    """The photo's colours of the other side of the head; ``photo`` is the layer of its own side."""
    mirror = surface.topology.mirror
    texels = _texels(surface, sighting, source, shows_person, skin, mirror)
    return Layer(_MIRROR_TRUST * photo.weight[mirror], photo.colours[mirror], texels)


def _texels(
    surface: HeadSurface,
    sighting: Sighting,
    source: PictureSource,
    shows_person: NDArray[np.bool_],
    skin: ExpectedSkin,
    order: NDArray[np.int64],
) -> Callable[[Coverage], tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Colours and trust at texels, from the place in the photo of ``order`` [V] for each vertex."""
    shown = is_shown(surface, sighting, shows_person)
    within = _within(shows_person)
    placed = np.column_stack([sighting.places, sighting.depth])[order]

    def texels(coverage: Coverage) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        brought = coverage.bring(placed)
        places = brought[:, :2]
        trust = shown(places, brought[:, 2]) * sighting.read(within, places) * skin.trust(coverage, places, order)
        return source.colours(places), trust

    return texels


def _within(shows_person: NDArray[np.bool_]) -> NDArray[np.float32]:
    """[S, S] from 0 at the person's outline, which is coarse and has steps, to 1 well within."""
    far = cv2.distanceTransform(shows_person.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.asarray((far / (_RAMP * shows_person.shape[0])).clip(0.0, 1.0), np.float32)
