"""The person's outline is found by what a person is, whatever the background looks like."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from geoinv.align import FaceAligner
from geoinv.align.person import person_mask
from geoinv.images import read_image

EXAMPLES = Path(__file__).parents[2] / "examples"


def shelves() -> np.ndarray:
    """[512, 512, 3] books of many colours."""
    rng = np.random.default_rng(0)
    picture = np.full((512, 512, 3), (120, 85, 60), np.uint8)
    for bottom in range(80, 513, 80):
        for left in range(0, 512, 16):
            top = bottom - int(rng.integers(40, 72))
            picture[top : bottom - 6, left : left + 14] = rng.integers(20, 230, 3)
    return picture


def grass() -> np.ndarray:
    """[512, 512, 3] green blades."""
    rng = np.random.default_rng(0)
    picture = np.full((512, 512, 3), (60, 100, 40), np.uint8)
    for _ in range(9000):
        x, y = (int(place) for place in rng.integers(0, 512, 2))
        color = [int(rng.integers(low, high)) for low, high in ((40, 140), (90, 190), (20, 80))]
        cv2.line(picture, (x, y), (x + int(rng.integers(-8, 8)), y - int(rng.integers(8, 30))), color, 1, cv2.LINE_AA)
    return picture


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("name", ["elder", "man", "selfie", "woman"])
def test_outline_does_not_depend_on_the_background(aligner: FaceAligner, name: str) -> None:
    photo = aligner.align(read_image(EXAMPLES / f"{name}.jpg")).image
    plain = person_mask(photo)
    assert 0.3 < plain.mean() < 0.9 and plain[100:400, 200:312].all()
    soft = cv2.GaussianBlur(plain.astype(np.float32), (0, 0), 1.0)[..., None]
    for behind in (shelves(), grass()):
        assert overlap(person_mask((photo * soft + behind * (1.0 - soft)).astype(np.uint8)), plain) > 0.96


def test_nobody() -> None:
    assert person_mask(grass()).mean() < 0.05


def test_mask_has_the_size_of_the_photo(aligner: FaceAligner) -> None:
    photo = aligner.align(read_image(EXAMPLES / "woman.jpg")).image
    small = cv2.resize(photo, (256, 256), interpolation=cv2.INTER_AREA)
    assert overlap(person_mask(small), person_mask(photo)[::2, ::2]) > 0.99
