"""Teeth have the photo's pixels between the lips, and their own behind them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from geoinv.avatar.texture.mouth import teeth_colours
from geoinv.avatar.texture.picture_source import PictureSource
from geoinv.avatar.texture.surface import HeadSurface
from geoinv.shape import expression_code
from tests.avatar.people import a_person

BROWN = (150.0, 110.0, 90.0)


def colours(photo: tuple[int, int, int]) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    """Teeth of the open mouth in a photo of one colour; which show between the lips, and which of those are upper."""
    lips = ("mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight")
    units = expression_code({"jawOpen": 0.1} | dict.fromkeys(lips, 1.0))
    who = replace(a_person(), codes=replace(a_person().codes, expression=units))
    surface = HeadSurface.of(who.model, who.in_photo())
    sighting = surface.seen_by(who.camera, 1024)
    source = PictureSource.of_square(np.full((64, 64, 3), photo, np.uint8))
    found = teeth_colours(who.model, surface, sighting, who.camera, source, np.array(BROWN))
    first = len(surface.topology.triangles)
    seen = sighting.shown[(sighting.shown >= first) & (sighting.shown < first + surface.topology.teeth_count)]
    corners, times = np.unique(surface.topology.others[seen - first] - surface.topology.first_tooth, return_counts=True)
    shows = np.zeros(len(found), np.bool_)
    shows[corners[times > 40]] = True
    is_upper = who.model.teeth.anchors[:, 0].numpy() < who.model.parts["upper-teeth"].vertices.stop
    return found, shows, shows & is_upper


def test_teeth_take_the_photos_colour_where_it_shows_them() -> None:
    blue, shows, upper = colours((40, 60, 200))
    assert upper.sum() > 20
    assert np.median(np.abs(blue[upper] - np.array([40, 60, 200]) / 255.0)) < 0.02
    behind = blue[~shows]
    assert np.mean(behind[:, 2] > behind[:, 0] + 0.2) < 0.35  # gaps and backs of the teeth that show


def test_lower_teeth_do_not_take_the_shade_of_the_mouth() -> None:
    dark, shows, upper = colours((20, 12, 12))
    lower = shows & ~upper
    assert lower.sum() > 10 and np.median(dark[upper]) < 0.12
    assert dark[lower].mean() == pytest.approx(colours((0, 0, 0))[0][lower].mean(), abs=0.01)
    assert dark[lower].mean() > 0.3
