"""A small picture to read and write."""

from __future__ import annotations

import numpy as np


def gradient(width: int = 96, height: int = 80) -> np.ndarray:
    """A picture whose corners all differ."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // (width - 1), y * 255 // (height - 1), (x + y) % 256], axis=-1).astype(np.uint8)
