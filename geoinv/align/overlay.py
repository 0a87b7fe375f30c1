"""A picture for the doubtful: the landmarks and the crop's square drawn on the photo."""

from __future__ import annotations

import cv2
import numpy as np

from .crop import apply_affine, invert_affine
from .face import AlignedFace, FloatArray, ImageArray

_MESH_COLOUR = (0, 220, 255)
_POINT_COLOUR = (255, 70, 70)
_CROP_COLOUR = (120, 255, 60)
_TOP_COLOUR = (255, 220, 0)
_SUBPIXEL_BITS = 4


def draw_overlay(image: ImageArray, aligned: AlignedFace) -> ImageArray:
    """Draw dense landmarks, the five points and the crop's square (its top in yellow) on a copy of the photo."""
    canvas = np.ascontiguousarray(image).copy()
    to_photo = invert_affine(aligned.matrix)
    size = float(aligned.image.shape[0])
    corners = apply_affine(to_photo, np.array([[0.0, 0.0], [size, 0.0], [size, size], [0.0, size]]))
    side = float(np.linalg.norm(corners[1] - corners[0]))
    thickness = max(1, round(side / 250))
    for point in apply_affine(to_photo, aligned.landmarks[:, :2]):
        _dot(canvas, point, side / 500, _MESH_COLOUR)
    for point in apply_affine(to_photo, aligned.landmarks5):
        _dot(canvas, point, side / 110, _POINT_COLOUR)
    for start in range(4):
        colour = _TOP_COLOUR if start == 0 else _CROP_COLOUR
        ends = _fixed(corners[start]), _fixed(corners[(start + 1) % 4])
        cv2.line(canvas, *ends, colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
    return canvas


def _dot(canvas: ImageArray, point: FloatArray, radius: float, colour: tuple[int, int, int]) -> None:
    fixed_radius = round(max(radius, 0.8) * 2**_SUBPIXEL_BITS)
    cv2.circle(canvas, _fixed(point), fixed_radius, colour, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL_BITS)


def _fixed(point: FloatArray) -> tuple[int, int]:
    """OpenCV's fixed-point coordinates, with integer pixel centres."""
    x, y = np.rint((point - 0.5) * 2**_SUBPIXEL_BITS).astype(int)
    return int(x), int(y)
