"""Textures as files: JPEG where they are photographs, PNG where they are small or flat."""

from __future__ import annotations

import io
from typing import Literal

import numpy as np
from numpy.typing import NDArray

_JPEG_QUALITY = 90
_SMALL = 64  # pixels a side, below which JPEG's blocks are larger than what they show


def picture_bytes(pixels: NDArray[np.uint8], kind: Literal["JPEG", "PNG"] = "JPEG") -> tuple[bytes, str]:
    """A picture's file and its MIME type; colours are sRGB and no profile is written.

    Args:
        pixels: RGB [H, W, 3].
        kind: JPEG or PNG; what is small is PNG in any case.
    """
    from PIL import Image

    file = io.BytesIO()
    picture = Image.fromarray(pixels)
    if kind == "PNG" or min(pixels.shape[:2]) <= _SMALL:
        picture.save(file, "PNG")
        return file.getvalue(), "image/png"
    picture.save(file, "JPEG", quality=_JPEG_QUALITY, optimize=True, subsampling="4:4:4")
    return file.getvalue(), "image/jpeg"
