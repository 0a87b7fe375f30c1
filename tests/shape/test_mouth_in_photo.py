"""Mouths are read from painted lips, whatever the detector says of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from geoinv.shape.mouth_in_photo import LOWER, OUTER_LOWER, OUTER_UPPER, UPPER, read_mouth

SKIN, LIPS, TEETH, DARK = (215, 165, 140), (185, 95, 95), (225, 220, 205), (40, 18, 18)
MIDDLE, HALF_WIDTH = np.array([256.0, 300.0]), 60.0
ACROSS = np.linspace(-0.8, 0.8, 9) * HALF_WIDTH


def arch(height: float) -> NDArray[np.float64]:
    """[9, 2] a line across the mouth, so many pixels below its middle in the middle, 0 at the corners."""
    return MIDDLE + np.stack([ACROSS, height * (1.0 - (ACROSS / HALF_WIDTH) ** 2)], axis=1)


def landmarks(upper: float, lower: float) -> NDArray[np.float64]:
    """What a detector says of a mouth whose rims are so many pixels below its middle."""
    points = np.zeros((468, 2))
    for which, height in ((OUTER_UPPER, -20.0), (UPPER, upper), (LOWER, lower), (OUTER_LOWER, 26.0)):
        points[list(which)] = arch(height)
    points[78], points[308] = MIDDLE - (HALF_WIDTH, 0.0), MIDDLE + (HALF_WIDTH, 0.0)
    return points


def paint(picture: NDArray[np.uint8], colour: tuple[int, int, int], upper: float, lower: float) -> None:
    """Fill what lies between two arches."""
    edge = np.concatenate([arch(upper), arch(lower)[::-1]])
    cv2.fillPoly(picture, [np.rint((edge - 0.5) * 16).astype(np.int32)], colour, cv2.LINE_AA, 4)


def mouth(*bands: tuple[tuple[int, int, int], float, float]) -> NDArray[np.uint8]:
    """Picture of lips with bands of colours between them."""
    picture = np.full((512, 512, 3), SKIN, np.uint8)
    paint(picture, LIPS, -20.0, 26.0)
    for colour, upper, lower in bands:
        paint(picture, colour, upper, lower)
    return picture


@pytest.mark.parametrize("said", [(-5.0, 11.0), (2.0, 4.0)])
def test_lips_part_where_teeth_are(said: tuple[float, float]) -> None:
    found = read_mouth(mouth((TEETH, -6.0, 12.0)), landmarks(*said))
    assert found is not None and found.shows_teeth and not found.is_closed
    assert np.abs(found.upper - arch(-6.0))[2:7].max() < 2.1
    assert np.abs(found.lower - arch(12.0))[2:7].max() < 2.1
    assert found.below_teeth == 0.0


def test_dark_below_teeth_is_measured() -> None:
    found = read_mouth(mouth((TEETH, -6.0, 6.0), (DARK, 6.0, 16.0)), landmarks(-6.0, 16.0))
    assert found is not None and found.shows_teeth
    assert found.below_teeth == pytest.approx(8.0, abs=1.5)


@pytest.mark.parametrize("said", [(-6.0, 6.0), (1.0, 3.0)])
def test_lips_that_touch_are_closed_on_their_dark_line(said: tuple[float, float]) -> None:
    found = read_mouth(mouth((DARK, 1.0, 3.0)), landmarks(*said))
    assert found is not None and found.is_closed and not found.shows_teeth
    assert np.abs(0.5 * (found.upper + found.lower) - arch(2.0))[2:7].max() < 1.0
    assert (found.upper[:, 1] > found.lower[:, 1]).all()  # a little beyond one another


def test_a_shine_on_a_lip_is_no_tooth() -> None:
    found = read_mouth(mouth((DARK, 1.0, 3.0), (TEETH, 12.0, 17.0)), landmarks(0.0, 4.0))
    assert found is not None and found.is_closed


def test_a_dark_mouth_keeps_the_detectors_rims() -> None:
    said = landmarks(-7.0, 9.0)
    found = read_mouth(mouth((DARK, -7.0, 9.0)), said)
    assert found is not None and not found.is_closed and not found.shows_teeth
    assert (found.upper == said[list(UPPER)]).all() and (found.lower == said[list(LOWER)]).all()


def test_nothing_is_read_from_a_mouth_that_is_wide_open() -> None:
    assert read_mouth(mouth((DARK, -18.0, 24.0)), landmarks(-18.0, 24.0)) is None
