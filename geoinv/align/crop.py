"""Resampling under an affine transform: without aliasing when shrinking, with mirrored borders beyond the photo."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..conventions import CROP_SIZE
from .face import FloatArray, ImageArray

_BLUR_START = 0.03
"""Distance beyond the photo's edge, as a part of the crop's side, where the mirrored border begins to blur."""

_BLUR_FULL = 0.12
"""Distance where it is fully blurred. Networks that see the whole crop take it for a picture: a mirrored eye must not
look like a real one, and black would look like hair."""


def apply_affine(matrix: FloatArray, points: FloatArray) -> FloatArray:
    """Points [N, 2] or [N, 3] under a [2, 3] similarity; a third coordinate is scaled with it, not moved."""
    moved = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    if points.shape[1] == 2:
        return moved
    return np.concatenate([moved, points[:, 2:] * scale_of(matrix)], axis=1)


def invert_affine(matrix: FloatArray) -> FloatArray:
    """The [2, 3] transform that undoes ``matrix``."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.concatenate([linear, -(linear @ matrix[:, 2:])], axis=1)


def compose_affine(outer: FloatArray, inner: FloatArray) -> FloatArray:
    """The [2, 3] transform that applies ``inner``, then ``outer``."""
    return np.concatenate([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2:] + outer[:, 2:]], axis=1)


def in_wider_picture(crop: FloatArray, zoom: float, side: int) -> FloatArray:
    """[2, 3] from photo pixels to those of a square of ``side`` pixels, in whose middle the crop takes the part
    ``zoom`` of its side; ``crop`` [2, 3] is from photo pixels to those of the crop."""
    scale, shift = zoom * side / CROP_SIZE, 0.5 * side * (1.0 - zoom)
    return compose_affine(np.array([[scale, 0.0, shift], [0.0, scale, shift]]), np.asarray(crop))


def scale_of(matrix: FloatArray) -> float:
    """Factor by which a similarity enlarges."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


def warp(image: ImageArray, matrix: FloatArray, size: int, *, border: int = cv2.BORDER_REFLECT_101) -> ImageArray:
    """Resample a photo into a square.

    Args:
        image: [H, W, 3].
        matrix: [2, 3] from photo to output, in continuous coordinates.
        size: Side of the output.
        border: OpenCV's border mode beyond the photo.

    Returns:
        [size, size, 3] uint8.
    """
    shrunk, matrix = _shrink_for(image, matrix)
    interpolation = cv2.INTER_CUBIC if scale_of(matrix) >= 0.99 else cv2.INTER_LINEAR
    result = cv2.warpAffine(shrunk, _integer_centred(matrix), (size, size), flags=interpolation, borderMode=border)
    return np.asarray(result, dtype=np.uint8)


def crop_with_soft_border(image: ImageArray, matrix: FloatArray, size: int) -> ImageArray:
    """Like :func:`warp`, with the mirrored border blurred more the farther it lies outside of the photo."""
    sharp = warp(image, matrix, size)
    outside = ~inside_photo(matrix, (image.shape[1], image.shape[0]), size)
    if not outside.any():
        return sharp
    distance = cv2.distanceTransform(outside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) / size
    weight = np.clip((distance - _BLUR_START) / (_BLUR_FULL - _BLUR_START), 0.0, 1.0)[..., None]
    blurred = cv2.GaussianBlur(sharp, (0, 0), sigmaX=0.03 * size, borderType=cv2.BORDER_REFLECT_101)
    return np.rint(sharp * (1.0 - weight) + blurred * weight).astype(np.uint8)


def inside_photo(matrix: FloatArray, photo_size: tuple[int, int], size: int) -> NDArray[np.bool_]:
    """[size, size] which pixels of a crop show the photo; the others are padding, however real they look.

    Args:
        matrix: [2, 3] from photo to crop pixels.
        photo_size: Width and height of the photo.
        size: Side of the crop.
    """
    ticks = np.arange(size) + 0.5
    x, y = (row[0] * ticks + row[1] * ticks[:, None] + row[2] for row in invert_affine(matrix))
    width, height = photo_size
    is_inside: NDArray[np.bool_] = (x >= 0) & (x <= width) & (y >= 0) & (y <= height)
    return is_inside


def _shrink_for(image: ImageArray, matrix: FloatArray) -> tuple[ImageArray, FloatArray]:
    """Average the photo down first, since warpAffine only interpolates; the rest of the transform is about 1:1."""
    scale = scale_of(matrix)
    if scale >= 0.75:
        return image, matrix
    height, width = image.shape[:2]
    small_width, small_height = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, (small_width, small_height), interpolation=cv2.INTER_AREA)
    enlarge = np.array([[width / small_width, 0.0, 0.0], [0.0, height / small_height, 0.0]])
    return np.asarray(small, dtype=np.uint8), compose_affine(matrix, enlarge)


def _integer_centred(matrix: FloatArray) -> FloatArray:
    """OpenCV counts pixel centres as integers; we count them as half integers."""
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ np.array([0.5, 0.5]) - 0.5
    return shifted
