"""Warnings: what speaks against a good reconstruction. Nothing is refused for it and nothing is hidden."""

from __future__ import annotations

import cv2
import numpy as np

from .covers import cover_warnings
from .crop import apply_affine, inside_photo, scale_of
from .face import FloatArray, ImageArray

MIN_CROP_SIDE = 192
"""Photo pixels across the crop; the shipped encoder looks at 256."""

MAX_YAW_DEG = 50.0
MAX_PITCH_DEG = 35.0

MIN_SHARPNESS = 0.10
"""Least sharpness. That of 160 sharp portraits is 0.13 or more; a blur of 3 pixels of the crop brings most below."""

MAX_RESIDUAL = 0.025
"""Largest residual. The largest of 160 portraits is 0.016."""

MAX_OUTSIDE = 0.25
"""The part of the crop that may lie outside of the photo."""

_FACE_SIDE = 160


def quality_warnings(
    image: ImageArray,
    landmarks: FloatArray,
    matrix: FloatArray,
    *,
    crop: ImageArray,
    yaw_deg: float,
    pitch_deg: float,
    residual: float,
) -> tuple[str, ...]:
    """Look for reasons to expect a poor result.

    Args:
        image: [H, W, 3] the photo.
        landmarks: [N, 2+] in photo pixels.
        matrix: [2, 3] from photo to crop pixels.
        crop: [S, S, 3] the aligned crop.
        yaw_deg: Camera yaw.
        pitch_deg: Camera pitch.
        residual: Misfit of the landmarks from the average face, as a part of the crop's side.
    """
    height, width = image.shape[:2]
    size = crop.shape[0]
    found = []
    crop_side = size / scale_of(matrix)
    if crop_side < MIN_CROP_SIDE:
        found.append(f"small face: the crop spans only {crop_side:.0f} photo pixels, fine detail is guessed")
    elif sharpness(crop) < MIN_SHARPNESS:
        found.append("blurred face: fine detail is guessed")
    if abs(yaw_deg) > MAX_YAW_DEG:
        found.append(f"strong turn (yaw {yaw_deg:+.0f} degrees): the far side of the face is guessed")
    if abs(pitch_deg) > MAX_PITCH_DEG:
        found.append(f"strong tilt (pitch {pitch_deg:+.0f} degrees): expect a poor fit")
    x, y = landmarks[:, 0], landmarks[:, 1]
    cut_off = float(((x < 0) | (x > width) | (y < 0) | (y > height)).mean())
    inside = inside_photo(matrix, (width, height), size)
    outside = 1.0 - float(inside.mean())
    if cut_off > 0.01:
        found.append(
            f"face cut off by the photo's edge: {100 * cut_off:.0f} % of its landmarks and {100 * outside:.0f} % of "
            "the crop lie outside, what is there is guessed"
        )
    elif outside > MAX_OUTSIDE:
        found.append(f"face near the photo's edge: {100 * outside:.0f} % of the crop lies outside, it is guessed")
    if residual > MAX_RESIDUAL:
        found.append("unusual landmarks: the face may be covered, or not be a face")
    return (*found, *cover_warnings(crop, apply_affine(matrix, landmarks), inside))


def sharpness(crop: ImageArray) -> float:
    """Spread of the Laplacian over the middle of the crop, divided by the spread of its brightness."""
    margin = crop.shape[0] // 4
    grey = cv2.cvtColor(crop[margin:-margin, margin:-margin], cv2.COLOR_RGB2GRAY)
    face = cv2.resize(grey, (_FACE_SIDE, _FACE_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    contrast = float(face.std())
    return float(cv2.Laplacian(face, cv2.CV_32F).std()) / max(contrast, 1.0)
