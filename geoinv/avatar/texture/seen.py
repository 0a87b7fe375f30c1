"""How much a picture tells of each vertex of the skin: by angle, by what hides it, and by where the person ends."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from .regions import SkinRegions
from .surface import HeadSurface, Sighting
from .surface_fields import smoothstep

Bool = NDArray[np.bool_]

_GRAZING, _SQUARE = 0.12, 0.42
"""Cosines between surface and ray: to the first (83 degrees) a picture tells nothing, from the second (65) on all."""
_GRAZING_SIDE, _SQUARE_SIDE = 0.22, 0.50
"""The same by ears and hair: the fit is rough there, and an ear comes to lie on the cheek."""
_SIDE_REACH = (-0.01, 0.05)
"""World units within what the detector's points hold where the side begins to end, and where it has ended."""
_GRAZING_MIDDLE, _SQUARE_MIDDLE = 0.03, 0.15
"""The same in the middle of the face, where many points hold the fit: the sides of a nose and the edges of lids."""
_MIDDLE_REACH = (0.03, 0.08)
"""World units within what they hold where the middle begins, and where it is all."""
_OTHER_SIDE = (-0.25, -0.1)
"""Cosines less than at the mirrored place, from which that place tells more, and from which this one tells as much."""
_BEHIND = 0.010
"""World units (4 mm) behind what a pixel shows, from which a point is hidden: fit and coarse triangles need some."""
_FEATHER = 0.020
"""World units (7 mm) from what is hidden over which trust grows: wide where skin is plain, ..."""
_FEATURE_FEATHER = 0.003
"""... and narrow at lips, lids and nostrils, which are sharp and hide something everywhere."""
_FEATURE_REACH = 0.03
"""World units from a feature over which the feather grows from narrow to wide."""
_GUARD = 0.002
"""Parts of the view's side (1 px of 512) about eyes, teeth and tongue that count as theirs: the fit is no better, and a
tooth on a lip is worse than a lip's edge that is guessed."""


def seen_weights(
    surface: HeadSurface,
    sighting: Sighting,
    shows_person: Bool,
    regions: SkinRegions,
    covered: Bool | None = None,
) -> NDArray[np.float64]:
    """[V] how much a picture tells of each vertex, 0 to 1; continuous along the surface.

    Args:
        surface: The head.
        sighting: The head through the picture's camera.
        shows_person: [S, S] where the picture shows the person and not what is beside or before.
        regions: Regions of the skin.
        covered: [V] vertices that something covers; None for none.
    """
    angle = _told_by_angle(surface, sighting.cosine, regions.held)
    shown = is_shown(surface, sighting, shows_person)(sighting.places, sighting.depth)
    unknown = ~shown | (angle <= 0.0) | surface.topology.hidden
    if covered is not None:
        unknown |= covered
    fields = surface.fields
    from_features = fields.distance(surface.topology.features, _FEATURE_REACH)
    feather = _FEATURE_FEATHER + (_FEATHER - _FEATURE_FEATHER) * smoothstep(from_features, 0.0, _FEATURE_REACH)
    return np.asarray(angle * smoothstep(fields.distance(unknown, 2.0 * _FEATHER), 0.0, feather))


def _told_by_angle(surface: HeadSurface, cosine: NDArray[np.float64], held: NDArray[np.float64]) -> NDArray[np.float64]:
    """[V] how much a picture tells, 0 to 1, by cosines [V] and how far vertices are within the detector's points."""
    side = 1.0 - smoothstep(held, *_SIDE_REACH)
    grazing = _GRAZING + side * (_GRAZING_SIDE - _GRAZING)
    square = _SQUARE + side * (_SQUARE_SIDE - _SQUARE)
    middle = smoothstep(held, *_MIDDLE_REACH) * smoothstep(cosine - cosine[surface.topology.mirror], *_OTHER_SIDE)
    in_middle = middle * smoothstep(cosine, _GRAZING_MIDDLE, _SQUARE_MIDDLE)
    return np.maximum(smoothstep(cosine, grazing, square), in_middle)


def is_shown(
    surface: HeadSurface, sighting: Sighting, shows_person: Bool
) -> Callable[[NDArray[np.floating], NDArray[np.floating]], Bool]:
    """A function that tells of places [N, 2] in the view and depths [N] whether the picture shows these points [N]."""
    skin = len(surface.topology.triangles)
    radius = max(1, round(_GUARD * sighting.shown.shape[0]))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    others = cv2.dilate((sighting.shown >= skin).astype(np.uint8), kernel) > 0
    # the farthest of neighbouring pixels, so that slopes do not hide themselves
    solid = np.where(np.isfinite(sighting.nearest), sighting.nearest, np.float32(-1.0))
    nearest = np.asarray(cv2.dilate(solid, np.ones((3, 3), np.uint8)), np.float32)

    def shown(places: NDArray[np.floating], depth: NDArray[np.floating]) -> Bool:
        inside = ((places >= 0.0) & (places <= 1.0)).all(axis=1)
        before = depth < sighting.read(nearest, places) + _BEHIND
        allowed = sighting.read(shows_person, places) & ~sighting.read(others, places)
        return np.asarray(inside & before & allowed)

    return shown
