"""Directions on all sides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def sphere_directions(count: int) -> NDArray[np.float64]:
    """Unit vectors [count, 3] spread evenly over the sphere (Fibonacci spiral)."""
    k = np.arange(count) + 0.5
    height = 1.0 - 2.0 * k / count
    angle = np.pi * (1.0 + 5.0**0.5) * k
    radius = np.sqrt(1.0 - height * height)
    return np.stack([radius * np.cos(angle), height, radius * np.sin(angle)], -1)
