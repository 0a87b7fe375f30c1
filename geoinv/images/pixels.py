"""From what Pillow decodes to upright 8-bit sRGB."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

DECODING_ERRORS = (
    *(OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, RuntimeError),
    *(OverflowError, MemoryError, ZeroDivisionError, Image.DecompressionBombError),
)
"""Exceptions that Pillow raises for damaged data, according to the format."""

_DEPTHS = (8, 10, 12, 14, 16)
"""Bits that cameras, scanners and film scans use of 16."""


def upright(image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF orientation asks."""
    try:
        return ImageOps.exif_transpose(image)
    except DECODING_ERRORS:  # broken EXIF says nothing about the pixels
        return image


def in_srgb(image: Image.Image) -> Image.Image:
    """The picture in sRGB where its profile is another: telephones write wide-gamut colours (Display P3), which read as
    sRGB make pale skin."""
    embedded = image.info.get("icc_profile")
    if not embedded or image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return image
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(embedded))
        if "srgb" in ImageCms.getProfileDescription(profile).lower():
            return image
        converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError):  # a broken profile says nothing about the pixels
        return image
    return image if converted is None else converted


def to_rgb(image: Image.Image) -> Image.Image:
    """An 8-bit RGB picture: grey is repeated, CMYK converted, transparency laid over white."""
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return over_white(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def over_white(image: Image.Image) -> Image.Image:
    """A picture with its transparent parts white."""
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, layer).convert("RGB")


def is_deep(image: Image.Image) -> bool:
    """Whether a picture has more than 8 bits a channel and keeps them in Pillow (grey alone does)."""
    return image.mode.startswith("I") or image.mode == "F"


def in_8_bits(image: Image.Image, values: NDArray[Any]) -> tuple[Image.Image, int | None]:
    """A picture with 8 bits a channel, scaled by the range that it uses: that of a known bit depth, or 0..1.

    Args:
        image: The picture that ``values`` belong to; its colour profile and EXIF data are kept.
        values: [H, W] or [H, W, 3] its numbers.

    Returns:
        The picture, and the bits that its whole numbers use: 8, 10, 12, 14 or 16; None for floats.
    """
    finite = np.nan_to_num(values.astype(np.float64))
    top = float(finite.max(initial=0.0))
    if np.issubdtype(values.dtype, np.floating) and top <= 1.0:
        scale, bits = 255.0, None
    else:
        depth = next((bits for bits in _DEPTHS if top < 2**bits), 16)
        scale, bits = 255.0 / (2**depth - 1), None if np.issubdtype(values.dtype, np.floating) else depth
    scaled = Image.fromarray(np.clip(np.rint(finite * scale), 0, 255).astype(np.uint8))
    scaled.info = dict(image.info)
    try:
        scaled.info["exif"] = image.getexif().tobytes()
    except DECODING_ERRORS:  # broken EXIF says nothing about the pixels
        scaled.info.pop("exif", None)
    return scaled, bits
