"""Hair before the sides of a face is left out of its skin, a fringe, which lies on the forehead, stays, and shoulders
wear what the photo shows of clothes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from geoinv.avatar.texture.person_colours import ExpectedSkin, colours_of_person
from geoinv.avatar.texture.regions import skin_regions
from geoinv.avatar.texture.seen import seen_weights
from geoinv.avatar.texture.surface import HeadSurface
from tests.avatar.people import a_person
from tests.avatar.texture.painted import SIDE, painted_photo

FLESH, HAIR = np.array([205.0, 150.0, 125.0]), np.array([25.0, 20.0, 18.0])


def covered_by(hair: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Vertices of the skin that something covers in a photo of the person with black hair at some of them [V]."""
    who = a_person()
    surface = HeadSurface.of(who.model, who.in_photo())
    tree = cKDTree(surface.vertices[: surface.topology.count])

    def paint(places: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(hair[tree.query(places)[1]][:, None], HAIR, FLESH)

    view = painted_photo(who, paint)
    sighting = surface.seen_by(view.camera, SIDE)
    regions = skin_regions(who.model)
    weight = seen_weights(surface, sighting, view.shows_person, regions)
    found = ExpectedSkin(surface, sighting, view.source, regions, weight).covered
    return np.asarray(found & (sighting.cosine > 0.3))


def test_hair_before_cheeks_is_left_out_and_a_fringe_is_not() -> None:
    who = a_person()
    regions = skin_regions(who.model)
    x, y, z = who.in_photo()[: len(regions.scalp)].numpy().T
    fringe = regions.bare & (regions.beyond_hairline > -0.025) & (z > 0.11)
    locks = regions.bare & (np.abs(x) > 0.14) & (np.abs(y) < 0.06) & (z < 0.09)
    assert fringe.sum() > 20 and locks.sum() > 20
    covered = covered_by(fringe | locks)
    assert covered[locks].sum() > 10
    assert covered[fringe].sum() == 0
    assert not covered[regions.core].any()


@pytest.mark.parametrize("shirt", [np.array([30.0, 60.0, 190.0]), None])
def test_shoulders_wear_what_the_photo_shows_of_clothes(shirt: NDArray[np.float64] | None) -> None:
    who = a_person()
    surface = HeadSurface.of(who.model, who.in_photo())

    def paint(places: NDArray[np.float64]) -> NDArray[np.float64]:
        below = places[:, 1:2] < -0.28
        return np.where(below, FLESH if shirt is None else shirt, FLESH)

    view = painted_photo(who, paint)
    sighting = surface.seen_by(view.camera, SIDE)
    regions = skin_regions(who.model)
    weight = seen_weights(surface, sighting, view.shows_person, regions)
    usual = colours_of_person(surface, sighting, view, view.source, regions, weight)
    assert usual is not None
    shoulders = usual.on(regions)[usual.are_known(regions) & regions.clothed]
    if shirt is None:
        assert len(shoulders) == 0
    else:
        assert len(shoulders) == regions.clothed.sum() > 100
        np.testing.assert_allclose(shoulders, np.broadcast_to(shirt, shoulders.shape), atol=2.0)
    np.testing.assert_allclose(usual.skin, FLESH, atol=2.0)


def test_clothes_of_the_hairs_colour_are_clothes() -> None:
    """A black coat and black hair: backs had the brown that lies between skin and hair."""
    who = a_person()
    surface = HeadSurface.of(who.model, who.in_photo())
    black = np.array([20.0, 18.0, 16.0])
    view = painted_photo(who, lambda places: np.where((places[:, 1:2] < -0.28) | (places[:, 1:2] > 0.18), black, FLESH))
    sighting = surface.seen_by(view.camera, SIDE)
    regions = skin_regions(who.model)
    weight = seen_weights(surface, sighting, view.shows_person, regions)
    usual = colours_of_person(surface, sighting, view, view.source, regions, weight)
    assert usual is not None and usual.clothes is not None
    np.testing.assert_allclose(usual.hair, black, atol=4.0)
    np.testing.assert_allclose(usual.clothes, black, atol=4.0)
