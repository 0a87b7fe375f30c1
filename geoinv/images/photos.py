"""Reading and writing pictures, and their way to tensors and back.

Whatever a camera, a scanner or a web page makes comes out as upright 8-bit RGB; whatever cannot be used ends in one
:class:`~geoinv.errors.PhotoError` that says why.
"""

from __future__ import annotations

import io
import os
import struct
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from ..errors import PhotoError, ShapeError, UsageError
from ..files import atomic_path

if TYPE_CHECKING:
    from torch import Tensor

MAX_PIXELS = 100_000_000
"""Larger photos are refused from their header, before any pixel is decoded (RGB of this size is 300 MB)."""

MIN_SIDE = 64
"""Smaller pictures cannot hold a face worth reconstructing."""

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".avif", ".jp2"})
"""What :func:`list_images` takes for a picture; :func:`read_image` looks at the content instead."""

# Photo formats only: Pillow would also open EPS and PDF-like files, which start other programs.
_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG2000", "AVIF")
_DECODING_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error)
_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    ".png": {"format": "PNG", "compress_level": 6},
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".webp": {"format": "WEBP", "quality": 92, "method": 4},
}


def read_image(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read a photo as upright 8-bit RGB.

    EXIF orientation is applied, an embedded colour profile is converted to sRGB, grey becomes RGB, 16-bit is scaled to
    8, CMYK is converted, transparency is laid over white, and of an animation the first frame is taken.

    Args:
        path: The picture; its format is told by content, not by name.

    Returns:
        [H, W, 3] uint8.

    Raises:
        PhotoError: No such file, a folder, empty, not a picture, damaged, too small, or too large.
    """
    source = Path(path)
    _require_readable_file(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of bombs and odd metadata on stderr; MAX_PIXELS decides here
            with _open(source) as image:
                _require_sensible_size(source, image.size)
                return _decode(source, image)
    except Image.DecompressionBombError:
        raise PhotoError(
            f"{source} is larger than {MAX_PIXELS // 1_000_000} megapixels", hint="scale it down first"
        ) from None


def write_image(path: str | os.PathLike[str], array: NDArray[np.uint8]) -> None:
    """Write a picture whole or not at all; the suffix (.png, .jpg, .jpeg, .webp) chooses the format.

    Args:
        path: An existing file is replaced; missing folders are made.
        array: uint8, [H, W, 3] RGB, [H, W, 4] RGBA or [H, W] grey.

    Raises:
        UsageError: Unknown suffix, or a place that cannot be written to.
        ShapeError: Not a picture.
    """
    target = Path(path)
    options = _SAVE_OPTIONS.get(target.suffix.lower())
    if options is None:
        known = ", ".join(sorted(_SAVE_OPTIONS))
        raise UsageError(f"cannot write {target}: unknown picture type {target.suffix!r}", hint=f"use one of {known}")
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise ShapeError(f"array must be uint8 [H, W], [H, W, 3] or [H, W, 4], got {array.dtype} {list(array.shape)}")
    image = Image.fromarray(np.ascontiguousarray(array))
    if options["format"] == "JPEG" and image.mode == "RGBA":
        image = _over_white(image)
    with atomic_path(target) as temporary:
        image.save(temporary, **options)


def list_images(folder: str | os.PathLike[str]) -> list[Path]:
    """The pictures directly inside a folder, by name; hidden files are left out.

    Raises:
        PhotoError: No such folder, or no picture in it.
    """
    place = Path(folder)
    if not place.is_dir():
        raise PhotoError(f"no such folder: {place}", hint="give a photo or a folder of photos")
    found = [p for p in place.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")]
    images = sorted(p for p in found if p.is_file())
    if not images:
        raise PhotoError(f"no photos in {place}", hint=f"looked for {', '.join(sorted(IMAGE_SUFFIXES))}")
    return images


def to_tensor(array: NDArray[np.uint8]) -> Tensor:
    """[H, W, 3] uint8 to [1, 3, H, W] float32 in [-1, 1]."""
    import torch

    if array.ndim != 3 or array.shape[2] != 3:
        raise ShapeError(f"array must be [H, W, 3], got {list(array.shape)}")
    planar = torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))
    return planar[None].float() / 127.5 - 1.0


def to_array(tensor: Tensor) -> NDArray[np.uint8]:
    """[3, H, W] or [1, 3, H, W] in [-1, 1] to [H, W, 3] uint8; values outside are clipped."""
    image = tensor.detach()
    if image.ndim == 4 and image.shape[0] == 1:
        image = image[0]
    if image.ndim != 3 or image.shape[0] != 3:
        raise ShapeError(f"tensor must be [3, H, W] or [1, 3, H, W], got {list(tensor.shape)}")
    scaled = ((image.float() + 1.0) * 127.5).round().clamp(0.0, 255.0)
    array: NDArray[np.uint8] = scaled.permute(1, 2, 0).cpu().numpy().astype(np.uint8)
    return np.ascontiguousarray(array)


def _require_readable_file(source: Path) -> None:
    try:
        if source.is_dir():
            raise PhotoError(f"{source} is a folder, not a photo", hint="give a photo, or a command that takes folders")
        if not source.exists():
            raise PhotoError(f"no such file: {source}", hint="check the spelling of the path")
        if source.stat().st_size == 0 and source.is_file():
            raise PhotoError(f"{source} is empty (0 bytes)", hint="copy or download it again")
        with source.open("rb"):
            pass
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise PhotoError(f"cannot read {source}: {reason}", hint="check the path and its permissions") from error


def _open(source: Path) -> Image.Image:
    Image.init()
    formats = [name for name in _FORMATS if name in Image.OPEN]  # AVIF and JPEG 2000 are optional in Pillow
    try:
        return Image.open(source, formats=formats)
    except UnidentifiedImageError:
        hint = "convert it to JPEG or PNG first" if source.suffix else "give a JPEG, PNG, WebP, TIFF, BMP or GIF"
        raise PhotoError(f"{source} is not a picture that geoinv can read", hint=hint) from None
    except _DECODING_ERRORS as error:
        raise _damaged(source, error) from error


def _require_sensible_size(source: Path, size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 1_000_000
        raise PhotoError(f"{source} is {width}x{height}, above {limit} megapixels", hint="scale it down first")
    if min(width, height) < MIN_SIDE:
        raise PhotoError(
            f"{source} is only {width}x{height} pixels", hint=f"use a photo of at least {MIN_SIDE} pixels a side"
        )


def _decode(source: Path, image: Image.Image) -> NDArray[np.uint8]:
    try:
        image.load()
        rgb = _to_rgb(_in_srgb(_upright(image)))
        return np.array(rgb, dtype=np.uint8)
    except _DECODING_ERRORS as error:
        raise _damaged(source, error) from error


def _damaged(source: Path, error: Exception) -> PhotoError:
    detail = " ".join(str(error).split()) or type(error).__name__
    return PhotoError(f"{source} is damaged or cut off ({detail})", hint="copy or download it again")


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except _DECODING_ERRORS:  # broken EXIF says nothing about the pixels
        return image


def _in_srgb(image: Image.Image) -> Image.Image:
    """Telephones write wide-gamut colours (Display P3), which read as sRGB make pale skin."""
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


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_8_bit(np.asarray(image))).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return _over_white(image)
    return image.convert("RGB")


def _to_8_bit(grey: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale by the range of the type that the values need: 0..1 (floats), 0..255 or 0..65535."""
    values = np.nan_to_num(grey.astype(np.float64))
    top = float(values.max(initial=0.0))
    if np.issubdtype(grey.dtype, np.floating) and top <= 1.0:
        values = values * 255.0
    elif top > 255.0 or grey.dtype == np.uint16:
        values = values / 257.0
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _over_white(image: Image.Image) -> Image.Image:
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, layer).convert("RGB")
