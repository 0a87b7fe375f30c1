"""What the photo itself shows of the skin, and its mirror image for the other side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .layers import Layer
from .picture_source import PictureSource
from .rasterise import Coverage
from .seen import is_shown, seen_weights
from .surface import HeadSurface, Sighting

_MIRROR_TRUST = 0.9  # what is seen itself comes first


def photo_layer(
    surface: HeadSurface,
    sighting: Sighting,
    source: PictureSource,
    shows_person: NDArray[np.bool_],
    covered: NDArray[np.bool_] | None = None,
) -> Layer:
    """The photo's own colours where it saw the skin.

    Args:
        surface: The fitted surface.
        sighting: The surface through the photo's camera.
        source: The photo.
        shows_person: [S, S] where the view shows the person.
        covered: [V] where something hides the skin; None for nowhere.
    """
    weight = seen_weights(surface, sighting, shows_person, covered)
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
