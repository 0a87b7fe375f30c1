"""Masks of the skin: hair grows above the hairline; a beard has places of its own that leave the lips bare."""

from __future__ import annotations

import numpy as np
import pytest

from geoinv.errors import MissingDependencyError
from geoinv.synth.masks import beard_masks, scalp_mask

TOP, NAPE, FOREHEAD, TEMPLE, CHEEK, NECK = (
    [0.0, 0.39, -0.05],
    [0.0, -0.05, -0.25],
    [0.0, 0.2, 0.24],
    [0.17, 0.12, 0.16],
    [0.12, -0.05, 0.2],
    [0.0, -0.25, -0.2],
)


def test_hair_grows_on_top_and_behind() -> None:
    weights = scalp_mask(np.array([TOP, NAPE, FOREHEAD, TEMPLE, CHEEK, NECK], np.float32))
    np.testing.assert_array_equal(weights, [1, 1, 0, 0, 0, 0])


def test_hairline_is_smooth_all_around() -> None:
    angle, height = np.meshgrid(np.radians(np.linspace(0.0, 180.0, 200)), np.linspace(-0.2, 0.4, 300), indexing="ij")
    places = np.stack([0.2 * np.sin(angle), height, 0.2 * np.cos(angle)], -1)
    weights = scalp_mask(places.reshape(-1, 3).astype(np.float32)).reshape(200, 300)
    assert (np.diff(weights, axis=1) >= 0.0).all() and np.abs(np.diff(weights, axis=1)).max() < 0.1


def test_beards_leave_lips_and_forehead_bare() -> None:
    from geoinv.synth.assets import find_base_data
    from geoinv.synth.geometry import HeadGeometry

    try:
        average = HeadGeometry(find_base_data(), []).average()
    except MissingDependencyError as error:
        pytest.skip(error.message)
    marks = average.landmarks
    masks = beard_masks(np.concatenate([marks[[62, 8, 27]], [(marks[33] + marks[51]) / 2]]), marks)
    lips, chin, bridge, under_the_nose = masks
    assert lips.max() < 0.1 and bridge.max() == 0.0
    assert chin.argmax() == 1 and chin.max() > 0.8 and under_the_nose.argmax() == 0 and under_the_nose.max() > 0.5
