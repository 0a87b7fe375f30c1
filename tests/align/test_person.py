"""The person is told from the background by colour, where a guess about the outline is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from geoinv.align.person import likely_person, person_mask

SIDE = 96


def disc(radius: float) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2 + 0.5
    return np.hypot(x, y) < radius


def photo_of(person: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0.0, 6.0, (SIDE, SIDE, 3))
    colors = np.where(person[..., None], (190, 130, 100), (60, 110, 160))
    return np.clip(colors + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("guess", [24, 30, 36])
def test_outline_is_that_of_the_photo(guess: int) -> None:
    found = person_mask(photo_of(disc(30)), disc(guess))
    assert (found != disc(30)).mean() < 0.01


def test_same_photo_same_mask() -> None:
    masks = [person_mask(photo_of(disc(30)), disc(26)) for _ in range(2)]
    assert np.array_equal(*masks)


@pytest.mark.parametrize("guess", [np.zeros((SIDE, SIDE), bool), np.ones((SIDE, SIDE), bool)])
def test_a_guess_that_tells_nothing_is_kept(guess: np.ndarray) -> None:
    assert np.array_equal(person_mask(photo_of(disc(30)), guess), guess)


def test_likely_person_by_hand() -> None:
    """A face of 20 x 30 pixels with its top left at (38, 30)."""
    likely = likely_person(np.array([[38, 30], [57, 59], [38, 59]], float), SIDE)
    assert likely[45, 48] and likely[20, 48] and likely[90, 30]  # face, hair, shoulder
    assert not likely[45, 10] and not likely[5, 48]
