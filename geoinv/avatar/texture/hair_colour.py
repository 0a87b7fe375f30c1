"""The person's hair in the photo: its colour, and where it hangs before the skin.

The mesh is a bald head. What the photo shows of the person beside it, above the ears, is hair (or a hat); where such
colours lie on the sides of cheeks and neck, hair hangs before them, and would be painted on the skin.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .photo_view import PhotoView
from .picture_source import PictureSource
from .regions import SkinRegions, UsualColours, usual_colours
from .surface import HeadSurface, Sighting

FloatArray = NDArray[np.float64]

_COARSE = 300.0  # pixels along the view in which colours are compared: single hairs and pores do not count
_GRID = 128  # places along the view that are looked at beside the head
_EARS_Y = 0.04  # world units: height of the ears on the mean head
_SIDEWAYS = 0.8  # cosine to the camera up to which skin is a side, before which hair may hang
_UNLIKE = 20.0  # distance in CIELAB between hair and skin from which they can be told apart
_HAIR_SHARE = 0.6  # part of the way from skin to hair from which a colour is the hair's


def colours_of_person(
    surface: HeadSurface,
    sighting: Sighting,
    view: PhotoView,
    source: PictureSource,
    regions: SkinRegions,
    weight: FloatArray,
) -> UsualColours | None:
    """Colours of skin and hair, from vertices by their ``weight`` [V]; None where the photo shows too little skin."""
    coarse = source.shrunk_to(_COARSE)
    beside = _beside_the_head(surface, sighting, view)
    return usual_colours(
        regions, coarse.colours(sighting.places).astype(np.float64), weight, coarse.colours(beside).astype(np.float64)
    )


def _beside_the_head(surface: HeadSurface, sighting: Sighting, view: PhotoView) -> FloatArray:
    """Places [N, 2] in the view that show the person, but not the mesh, above the ears."""
    ticks = (np.arange(_GRID) + 0.5) / _GRID
    places = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    ears = np.abs(surface.vertices[: surface.topology.count, 1] - _EARS_Y) < 0.02
    is_above = places[:, 1] < np.median(sighting.places[ears, 1])
    is_beside = sighting.read(view.shows_person, places) & (sighting.read(sighting.shown, places) < 0)
    return np.asarray(places[is_above & is_beside])


def hair_on_skin(
    sighting: Sighting,
    source: PictureSource,
    regions: SkinRegions,
    usual: UsualColours | None,
    weight: FloatArray,
    mirror: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """[V] where the photo shows hair before the sides of cheeks and neck.

    Args:
        sighting: The head through the photo's camera.
        source: The photo.
        regions: Regions of the skin.
        usual: Colours of the person.
        weight: [V] how much the photo tells of each vertex.
        mirror: [V] vertex at the other side of the head.
    """
    if usual is None:
        return np.zeros(len(sighting.depth), np.bool_)
    colours = _lab(source.shrunk_to(_COARSE).colours(sighting.places))
    skin, hair = _lab(np.stack([usual.skin, usual.hair]))
    to_hair = hair - skin
    distance = float(np.linalg.norm(to_hair))
    if distance < _UNLIKE:
        return np.zeros(len(sighting.depth), np.bool_)
    share = (colours - skin) @ to_hair / distance**2
    share[np.linalg.norm(colours - hair, axis=1) > (1.0 - _HAIR_SHARE) * distance] = 0.5  # neither
    is_side = regions.bare & (sighting.cosine < _SIDEWAYS)
    is_hair = share > _HAIR_SHARE
    is_rim = ~regions.core
    # a beard is on both sides; a strand before the cheek is where the other side shows skin
    is_one_sided = is_hair & (weight[mirror] > 0.5) & (share[mirror] < 1.0 - _HAIR_SHARE)
    return np.asarray(is_side & np.where(regions.face, is_one_sided & is_rim, is_hair))


def _lab(colours: NDArray[np.floating]) -> FloatArray:
    pixels = np.asarray(colours, np.float32)[None] / np.float32(255.0)
    return np.asarray(cv2.cvtColor(pixels.clip(0.0, 1.0), cv2.COLOR_RGB2LAB)[0], np.float64)
