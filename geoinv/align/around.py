"""The photo around the crop: hair, neck and clothes, which networks do not look at, but views of heads show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..conventions import AROUND, AROUND_SIZE
from .crop import apply_affine, crop_with_soft_border, in_wider_picture, inside_photo, invert_affine
from .face import FloatArray, ImageArray
from .person import person_mask


def cut_around(photo: ImageArray, crop: FloatArray) -> ImageArray:
    """[384, 384, 3] the photo around the crop, which is the middle of it; padded like the crop beyond the photo's edge.

    Args:
        photo: [H, W, 3] uint8.
        crop: [2, 3] from photo pixels to crop pixels.
    """
    return crop_with_soft_border(photo, _to_around(crop), AROUND_SIZE)


def inside_around(crop: FloatArray, photo_size: tuple[int, int]) -> NDArray[np.bool_]:
    """[384, 384] which pixels of :func:`cut_around` show the photo, of this (width, height)."""
    return inside_photo(_to_around(crop), photo_size, AROUND_SIZE)


def person_around(picture: ImageArray, crop: FloatArray, photo_size: tuple[int, int]) -> NDArray[np.bool_]:
    """[384, 384] where the photo shows the person.

    Beyond the photo's edges it says what it says at the nearest edge: hair that the edge cuts goes on there, and above
    a head that ends below the upper edge there is none.

    Args:
        picture: [384, 384, 3] what :func:`cut_around` gave.
        crop: [2, 3] from photo pixels to crop pixels.
        photo_size: Width and height of the photo.

    Raises:
        CheckpointError: The network's file is missing or damaged.
    """
    mask = person_mask(picture)
    to_around = _to_around(crop)
    ticks = np.arange(AROUND_SIZE) + 0.5
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)  # (x, y), row by row
    in_photo = apply_affine(invert_affine(to_around), grid)
    half_pixel = 0.5 / np.sqrt(abs(np.linalg.det(to_around[:, :2])))  # of the picture, in the photo's
    width, height = photo_size
    most = np.maximum(np.array([width, height]) - half_pixel, half_pixel)
    nearest = apply_affine(to_around, np.clip(in_photo, half_pixel, most))
    column, row = np.clip(nearest.astype(np.int64), 0, AROUND_SIZE - 1).T
    found: NDArray[np.bool_] = mask[row, column].reshape(AROUND_SIZE, AROUND_SIZE)
    return found


def _to_around(crop: FloatArray) -> FloatArray:
    """[2, 3] from photo pixels to those of the picture around the crop, given that to crop pixels."""
    return in_wider_picture(crop, 1.0 / AROUND, AROUND_SIZE)
