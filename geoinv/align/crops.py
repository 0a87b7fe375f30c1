"""The crops that generators were trained on, by name."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from .face import FloatArray
from .pose import HeadPose

CropName = Literal["face", "ffhq"]
"""EG3D's crop, which is upright and of one scale for a head, and FFHQ's, which is cut by eyes and mouth."""

CROPS: tuple[CropName, ...] = get_args(CropName)

_EYES_TO_HALF_SIDE, _MOUTH_TO_HALF_SIDE = 2.0, 1.8
_CENTRE = 0.1  # from the eyes toward the mouth


def to_crop(name: CropName, pose: HeadPose, landmarks5: FloatArray) -> FloatArray:
    """[2, 3] similarity from photo pixels to the unit square of a crop.

    Args:
        name: The crop.
        pose: The head's pose in the photo.
        landmarks5: [5, 2] eye centres, nose tip, mouth corners in photo pixels, image left first.
    """
    return pose.to_crop if name == "face" else _ffhq(landmarks5)


def _ffhq(landmarks5: FloatArray) -> FloatArray:
    """FFHQ's square (Karras et al., CVPR 2019, appendix A): as wide as four times the eyes' distance or 3.6 times that
    of eyes and mouth, level with the mean of the eyes' line and what is square to the line from eyes to mouth."""
    left_eye, right_eye, _, left_mouth, right_mouth = landmarks5
    eyes, mouth = (left_eye + right_eye) / 2.0, (left_mouth + right_mouth) / 2.0
    across, down = right_eye - left_eye, mouth - eyes
    x = across - np.array([-down[1], down[0]])
    x *= max(_EYES_TO_HALF_SIDE * np.hypot(*across), _MOUTH_TO_HALF_SIDE * np.hypot(*down)) / np.hypot(*x)
    y = np.array([-x[1], x[0]])
    corner = eyes + _CENTRE * down - x - y
    linear = np.stack([x, y]) / (2.0 * float(x @ x))  # of a point, along both sides in parts of the side
    return np.concatenate([linear, -(linear @ corner)[:, None]], axis=1)


def roll_of(matrix: FloatArray) -> float:
    """The roll that a similarity [2, 3] removes, in radians; positive is a head tilted counter-clockwise."""
    return float(np.arctan2(matrix[1, 0], matrix[0, 0]))
