"""CIELAB of colours."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from geoinv.images.cielab import cielab


@pytest.mark.parametrize(
    ("color", "lab"),
    [
        ((1.0, 1.0, 1.0), (100.0, 0.0, 0.0)),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        ((0.5, 0.5, 0.5), (53.39, 0.0, 0.0)),
        ((1.0, 0.0, 0.0), (53.24, 80.09, 67.20)),
        ((0.0, 0.0, 1.0), (32.30, 79.19, -107.86)),
    ],
)
def test_known_colours(color: tuple[float, ...], lab: tuple[float, ...]) -> None:
    assert cielab(np.array(color, np.float32)) == pytest.approx(lab, abs=0.02)


def test_is_that_of_opencv() -> None:
    colors = np.random.default_rng(0).random((40, 50, 3), np.float32)
    found = cielab(colors)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, cv2.cvtColor(colors, cv2.COLOR_RGB2LAB), atol=0.6)  # its tables are coarse
