"""Textures as files: JPEG where they are photographs, PNG where they are small or flat."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

_JPEG_QUALITY = 90
_SMALL = 64  # pixels a side, below which JPEG's blocks are larger than what they show


def picture_bytes(pixels: NDArray[np.uint8], quality: int = _JPEG_QUALITY) -> tuple[bytes, str]:
    """A picture's file and its MIME type; colours are sRGB and no profile is written.

    Args:
        pixels: RGB [H, W, 3].
        quality: Quality of a JPEG, up to 95.
    """
    from PIL import Image

    file = io.BytesIO()
    picture = Image.fromarray(pixels)
    if min(pixels.shape[:2]) <= _SMALL:
        picture.save(file, "PNG", optimize=True)
        return file.getvalue(), "image/png"
    picture.save(file, "JPEG", quality=quality, optimize=True, subsampling="4:4:4")
    return file.getvalue(), "image/jpeg"
