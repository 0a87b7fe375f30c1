"""What the photo itself shows of the skin, and its mirror image for the other side."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .layers import Layer
from .picture_source import PictureSource
from .rasterise import Coverage
from .seen import is_shown, seen_weights
from .surface import HeadSurface, Sighting

_MIRROR_TRUST = 0.9  # what is seen itself comes first
_OUTLINE = 7  # pixels of 512 that the person's outline is moved inwards: the mask is coarse and hair is fine


def photo_layer(
    surface: HeadSurface, sighting: Sighting, source: PictureSource, shows_person: NDArray[np.bool_]
) -> Layer:
    """The photo's own colours where it saw the skin.

    Args:
        surface: The fitted surface.
        sighting: The surface through the photo's camera.
        source: The photo.
        shows_person: [S, S] where the aligned photo shows the person, as :func:`person_inside` gives it.
    """
    weight = seen_weights(surface, sighting, shows_person)
    shown = is_shown(surface, sighting, shows_person)
    placed = np.column_stack([sighting.places, sighting.depth])

    def texels(coverage: Coverage) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        brought = coverage.bring(placed)
        return source.colours(brought[:, :2]), shown(brought[:, :2], brought[:, 2]).astype(np.float32)

    return Layer(weight, source.colours(sighting.places).astype(np.float64), texels)


def mirrored_layer(surface: HeadSurface, sighting: Sighting, source: PictureSource, photo: Layer) -> Layer:
    """The photo's colours of the other side of the head, where that side was seen better."""
    mirror = surface.topology.mirror
    places = sighting.places[mirror]

    def texels(coverage: Coverage) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return source.colours(coverage.bring(places)), np.ones(len(coverage.pixels), np.float32)

    return Layer(_MIRROR_TRUST * photo.weight[mirror], photo.colours[mirror], texels)


def person_inside(person: NDArray[np.bool_], inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[S, S] where an aligned photo surely shows the person and nothing else.

    Args:
        person: [S, S] the person in the aligned photo.
        inside: [S, S] where the aligned photo shows the photo and not padding.
    """
    radius = max(1, round(_OUTLINE * person.shape[0] / 512))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.erode((person & inside).astype(np.uint8), kernel, borderValue=1) > 0)
