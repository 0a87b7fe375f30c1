"""Colours in CIELAB, where distances are about those that people see."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]],
    np.float32,
)
"""Linear sRGB to CIE XYZ under D65 (IEC 61966-2-1)."""
_DARK = 6.0 / 29.0


def cielab(colors: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """CIELAB of colours (CIE 15, section 8.2.1; white is that of sRGB, D65).

    OpenCV's ``cvtColor`` gives the same, after tables that take it a tenth of a second in every new process.

    Args:
        colors: [..., 3] sRGB in [0, 1].

    Returns:
        [..., 3] lightness in [0, 100], a* and b*.
    """
    colors = np.asarray(colors, np.float32)
    linear = np.where(colors <= 0.04045, colors / np.float32(12.92), ((colors + np.float32(0.055)) / 1.055) ** 2.4)
    xyz = linear @ (_TO_XYZ / _TO_XYZ.sum(axis=1, keepdims=True)).T  # white is 1, 1, 1
    x, y, z = np.moveaxis(np.where(xyz > _DARK**3, np.cbrt(xyz), xyz / (3.0 * _DARK**2) + 4.0 / 29.0), -1, 0)
    return np.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)], axis=-1).astype(np.float32, copy=False)
