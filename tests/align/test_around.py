"""The photo around the crop: the crop is its middle, and the person goes on beyond the photo's edges as at them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from geoinv.align import FaceAligner
from geoinv.align.around import cut_around, inside_around, person_around
from geoinv.images import read_image

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_crop_is_its_middle(aligner: FaceAligner) -> None:
    photo = read_image(EXAMPLES / "woman.jpg")
    face = aligner.align(photo)
    assert face.around is not None and face.around.shape == (384, 384, 3)
    small = cv2.resize(face.image, (256, 256), interpolation=cv2.INTER_AREA)
    gap = np.abs(face.around[64:320, 64:320].astype(int) - small)[4:-4, 4:-4]  # where the crop has no soft border
    assert gap.mean() < 4.0
    np.testing.assert_array_equal(cut_around(photo, face.matrix), face.around)


def test_inside_by_hand() -> None:
    """A photo that is its own crop of 512: of the picture around it, a third lies beyond each way, half on a side."""
    inside = inside_around(np.eye(2, 3), (512, 512))
    assert inside[64:320, 64:320].all() and inside.sum() == 256**2


def test_a_person_ends_or_goes_on_as_at_the_photos_edge(aligner: FaceAligner) -> None:
    photo = read_image(EXAMPLES / "woman.jpg")  # hair ends a little below the upper edge; the lower one cuts the dress
    face = aligner.align(photo)
    assert face.around is not None
    person = person_around(face.around, face.matrix, face.source_size)
    inside = inside_around(face.matrix, face.source_size)
    rows = np.flatnonzero(inside[:, 192])
    above, below = rows[0] - 8, rows[-1] + 4
    assert not person[:above].any()  # the padding there shows mirrored hair
    assert person[192, 192] and person[below:, 192].all()


@pytest.mark.parametrize("side", [640, 90])
def test_photos_of_any_size(side: int) -> None:
    photo = np.zeros((side, side, 3), np.uint8)
    crop = np.array([[512 / side, 0.0, 40.0], [0.0, 512 / side, -30.0]])
    assert person_around(cut_around(photo, crop), crop, (side, side)).shape == (384, 384)
