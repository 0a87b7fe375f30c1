"""Pictures as bytes and back: JPEG for colour, PNG for what must stay exact."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def encode_jpeg(picture: NDArray[np.uint8], *, quality: int) -> bytes:
    """JPEG of a picture [H, W, 3], without chroma subsampling."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="JPEG", quality=quality, subsampling=0, optimize=True)
    return buffer.getvalue()


def encode_png(picture: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """PNG of a picture: [H, W] or [H, W, 3] of 8 bits, or [H, W] of 16 bits."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def decode_rgb(code: bytes) -> NDArray[np.uint8]:
    """Picture [H, W, 3] of an encoded one."""
    with Image.open(io.BytesIO(code)) as image:
        return np.asarray(image.convert("RGB"), dtype=np.uint8)


def decode_grey(code: bytes) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Picture [H, W] of an encoded one, with as many bits as it was stored with."""
    with Image.open(io.BytesIO(code)) as image:
        if image.mode.startswith("I"):
            return np.asarray(image).astype(np.uint16)
        return np.asarray(image.convert("L"), dtype=np.uint8)
