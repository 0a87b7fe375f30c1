"""Strands of short hair on a scalp that no picture shows: fine differences of brightness, drawn on places in space.

As they belong to places and not to texels, they go over the seams of the texture.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CROWN = (0.0, -0.10)  # x and z of the axis, from which strands fall
_SEED = 5
_STRANDS = 14
_FEWEST, _MOST = 40, 260  # strands around the head
_STRENGTH = 0.11


def hair_grain(places: NDArray[np.floating]) -> NDArray[np.float32]:
    """Factors [N] on the brightness of hair at places [N, 3] of a head, about 1."""
    random = np.random.default_rng(_SEED)
    x, y, z = np.asarray(places, np.float32).T
    around = np.arctan2(x - np.float32(_CROWN[0]), z - np.float32(_CROWN[1]))
    total = np.zeros(len(around), np.float32)
    for _ in range(_STRANDS):
        frequency = np.float32(random.integers(_FEWEST, _MOST))
        phase, wave, bend = (np.float32(value) for value in random.uniform((0.0, 8.0, 0.5), (6.3, 25.0, 2.5)))
        total += np.sin(frequency * around + phase + bend * np.sin(wave * y + phase))
    return np.asarray(1.0 + _STRENGTH / np.sqrt(_STRANDS) * total, np.float32)
