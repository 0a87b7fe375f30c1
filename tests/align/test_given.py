"""Crops that come with a camera label are taken as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geoinv.align import FaceAligner
from geoinv.align.given import given_crop
from geoinv.errors import PhotoError
from geoinv.images import read_image

WOMAN = Path(__file__).parents[2] / "examples" / "woman.jpg"


@pytest.fixture(scope="module")
def aligner() -> FaceAligner:
    return FaceAligner()


def test_a_crop_stays_where_it_is(aligner: FaceAligner) -> None:
    crop = aligner.align(read_image(WOMAN))
    given = given_crop(crop.image, aligner)
    assert np.array_equal(given.image, crop.image)
    assert np.abs(given.landmarks5 - crop.landmarks5).max() < 6.0
    small = given_crop(crop.image[::2, ::2].copy(), aligner)
    assert small.image.shape == (512, 512, 3) and small.matrix[0, 0] == 2.0
    assert np.abs(small.landmarks5 - crop.landmarks5).max() < 10.0


def test_rejects(aligner: FaceAligner) -> None:
    with pytest.raises(PhotoError, match="300x200"):
        given_crop(np.zeros((200, 300, 3), np.uint8), aligner)
    with pytest.raises(PhotoError, match="no face"):
        given_crop(np.zeros((200, 200, 3), np.uint8), aligner)
