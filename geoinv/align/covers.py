"""Warnings about what hides a face in its crop: a mask over the mouth, sunglasses, darkness, burnt-out light.

Landmarks are predicted as if nothing hid the face, so they say where the mouth and the eyes should be seen; the colours
there say whether they are. Of 160 portraits none is warned about; of 36 masks of five colours, painted on seven of
them and of the examples, 30 are, and all of 21 pairs of sunglasses.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ..images.cielab import cielab
from .face import FloatArray, ImageArray
from .hull import landmark_hull

# Points of MediaPipe's mesh.
_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
_AROUND_LIPS = (164, 18, 200, 214, 434, 167, 393, 204, 424, 43, 273)
_UPPER_FACE = (151, 9, 108, 337, 69, 299, 6, 117, 346, 118, 347)  # forehead, top of the nose, under the eyes
_EYES = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
)

DARK = 0.25
"""Brightest 5 % of a face's pixels, in [0, 1], below which it is nearly black; 0.60 and more in the portraits."""

BURNT = 0.25
"""Fraction of a face's pixels that are white in all channels, above which it is burnt out; 0.00 in the portraits."""

MIN_LIP_CONTRAST = 3.0
"""Distance in CIELAB between the lips and the skin around them; below 3 in three portraits, ..."""

MIN_OTHER_COLOUR = 9.0
"""... whose skin around the lips differs from that of the upper face by 1.2 to 7.1 (in CIELAB without lightness)."""

MIN_EYE_CONTRAST = 5.0
"""Spread of CIELAB's lightness within the opening of an eye; 7.4 and more in the portraits, 4.1 at most in glasses."""


def cover_warnings(crop: ImageArray, landmarks: FloatArray, inside: NDArray[np.bool_]) -> tuple[str, ...]:
    """Warnings of what hides a face, a line for the user each.

    Args:
        crop: [S, S, 3] the aligned crop.
        landmarks: [468, 3] in its pixels; with other landmarks (68 of face-alignment) only the light is judged.
        inside: [S, S] which pixels of the crop show the photo; the others are not looked at.
    """
    light = _light_warning(crop[inside & (landmark_hull(landmarks, inside.shape) > 0)])
    if light is not None:
        return (light,)
    if len(landmarks) != 468:
        return ()
    lab = cielab(crop.astype(np.float32) / np.float32(255.0))
    found = []
    lab[~inside] = np.nan
    if _is_mouth_covered(lab, landmarks):
        found.append("the mouth seems to be covered (a mask?): the mouth and chin of the head are guessed")
    if _are_eyes_covered(lab, landmarks):
        found.append("the eyes seem to be covered (sunglasses?): the eyes of the head are guessed")
    return tuple(found)


def _light_warning(face: ImageArray) -> str | None:
    """Warnings of too little or too much light on a face's pixels [N, 3]."""
    if len(face) == 0:
        return None
    values = face.astype(np.float32) / 255.0
    if float(np.percentile(values.max(axis=1), 95)) < DARK:
        return "the face is nearly black: its colours and shape are guessed"
    if float((values.min(axis=1) >= 0.98).mean()) > BURNT:
        return "the face is burnt out (white without detail): its colours and shape are guessed"
    return None


def _is_mouth_covered(lab: NDArray[np.float32], landmarks: FloatArray) -> bool:
    lips, around = _inside(lab, landmarks, _LIPS), _at(lab, landmarks, _AROUND_LIPS)
    upper = _at(lab, landmarks, _UPPER_FACE)
    if not (len(lips) and len(around) and len(upper)):
        return False
    skin = np.median(around, axis=0)
    lip_contrast = float(np.linalg.norm(lips.mean(axis=0) - skin))
    other_colour = float(np.linalg.norm((skin - np.median(upper, axis=0))[1:]))
    return lip_contrast < MIN_LIP_CONTRAST and other_colour > MIN_OTHER_COLOUR


def _are_eyes_covered(lab: NDArray[np.float32], landmarks: FloatArray) -> bool:
    eyes = [_inside(lab, landmarks, eye) for eye in _EYES]
    return all(len(eye) and float(eye[:, 0].std()) < MIN_EYE_CONTRAST for eye in eyes)


def _inside(lab: NDArray[np.float32], landmarks: FloatArray, points: Sequence[int]) -> NDArray[np.float32]:
    """[N, 3] the known pixels in the hull of some landmarks."""
    return _known(lab[landmark_hull(landmarks[list(points)], lab.shape[:2]) > 0])


def _at(lab: NDArray[np.float32], landmarks: FloatArray, points: Sequence[int]) -> NDArray[np.float32]:
    """[N, 3] the known pixels about some landmarks."""
    mask = np.zeros(lab.shape[:2], np.uint8)
    for x, y in landmarks[list(points), :2]:
        cv2.circle(mask, (round(float(x)), round(float(y))), max(1, lab.shape[0] // 100), (1,), -1)
    return _known(lab[mask > 0])


def _known(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values[~np.isnan(values).any(axis=1)]
