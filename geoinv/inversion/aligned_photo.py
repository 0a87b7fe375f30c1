"""The photo of an inversion, aligned, in the size that is wanted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..align.crop import warp
from ..errors import PhotoError
from ..images.tensors import at_side, photo_bytes, photo_tensor
from .saved import Inversion

_SAME_PHOTO = 4.0
"""Mean difference in levels of 255 up to which two crops are of one photo."""


def aligned_photo(inversion: Inversion, side: int, photo: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """[side, side, 3] the aligned photo.

    Args:
        inversion: Result of inverting the photo.
        side: Side in pixels.
        photo: [H, W, 3] the photo, at its full resolution; None takes the crop of 512 px that the inversion keeps.

    Raises:
        PhotoError: ``photo`` is not the one that was inverted.
    """
    if photo is None:
        return photo_bytes(at_side(photo_tensor(inversion.photo), side))
    check_same_photo(photo, inversion)
    return warp(photo, np.asarray(inversion.crop) * (side / inversion.photo.shape[0]), side)


def check_same_photo(photo: NDArray[np.uint8], inversion: Inversion) -> None:
    """Refuse another photo than the one that was inverted.

    Raises:
        PhotoError: Its size or its crop is another.
    """
    height, width = photo.shape[:2]
    if (width, height) == tuple(inversion.source_size):
        crop = warp(photo, inversion.crop, inversion.photo.shape[0])
        gap = np.abs(crop.astype(np.float32) - inversion.photo)[inversion.inside]
        if gap.size and float(gap.mean()) < _SAME_PHOTO:
            return
    raise PhotoError(f"that is not the photo of {inversion.source} that was inverted", "give the very same file")
