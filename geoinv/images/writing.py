"""Writing pictures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import ShapeError, UsageError
from ..files import atomic_path
from .pixels import over_white

_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    ".png": {"format": "PNG", "compress_level": 4},
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".webp": {"format": "WEBP", "quality": 92, "method": 4},
}


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
        image = over_white(image)
    with atomic_path(target) as temporary:
        image.save(temporary, **options)
