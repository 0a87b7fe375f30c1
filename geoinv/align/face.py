"""Results of detection and alignment: a :class:`Face` in the photo, and the :class:`AlignedFace` cut from it.

All positions are continuous pixel coordinates: the photo spans [0, width] x [0, height] and pixel centres lie at half
integers, so that a position in the crop divided by its side is the normalised image position of ``geoinv.camera``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
"""Positions and matrices; their shapes are in the names' docstrings."""

ImageArray = NDArray[np.uint8]
"""[H, W, 3] RGB."""

# Sixteen points around each opening of the eye in MediaPipe's mesh, the person's right eye (image left) first.
_MESH_EYES = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398),
)
_MESH_NOSE_AND_MOUTH = (1, 61, 291)
_IBUG_EYES = (tuple(range(36, 42)), tuple(range(42, 48)))
_IBUG_NOSE_AND_MOUTH = (30, 48, 54)


@dataclass(frozen=True, eq=False)
class Face:
    """One face found in a photo.

    Args:
        box: [4] left, top, right, bottom in photo pixels.
        score: Confidence that it is a face, 0 to 1.
        landmarks: [N, 3] photo pixels; N is 468 (MediaPipe's mesh, z towards the camera is negative) or 68 (iBUG's
            marks from face-alignment, z zero).
    """

    box: FloatArray
    score: float
    landmarks: FloatArray

    @property
    def size(self) -> float:
        """Geometric mean of the box's sides in pixels."""
        left, top, right, bottom = self.box
        return float(np.sqrt(max(right - left, 0.0) * max(bottom - top, 0.0)))

    @property
    def landmarks5(self) -> FloatArray:
        """[5, 2] eye centres, nose tip and mouth corners, image left first."""
        return five_points(self.landmarks)


@dataclass(frozen=True, eq=False)
class AlignedFace:
    """A face in the crop that a generator expects.

    Args:
        image: [512, 512, 3] the crop; beyond the photo's edge it is padded with mirrored pixels (see ``inside``).
        landmarks5: [5, 2] eye centres, nose tip, mouth corners in crop pixels, image left first.
        landmarks: [468, 3] MediaPipe's mesh in crop pixels (or [68, 3], z zero, from face-alignment).
        matrix: [2, 3] takes photo pixels to crop pixels: a rotation, one scale and a shift.
        source_size: (width, height) of the photo.
        roll_deg: The roll that was removed; positive is a head tilted counter-clockwise in the photo.
        yaw_deg: Estimated camera yaw; positive is a face turned to image left.
        pitch_deg: Estimated camera pitch; positive is a camera above the face.
        face_index: Index of the face in the photo, by size from 0.
        face_count: Number of faces in the photo.
        warnings: Reasons against a good result, a line for the user each.
        crop: Name of the crop, see :mod:`geoinv.align.crops`.
        around: [384, 384, 3] the photo around the crop, see :mod:`geoinv.align.around`; None where no more is known.
    """

    image: ImageArray
    landmarks5: FloatArray
    landmarks: FloatArray
    matrix: FloatArray
    source_size: tuple[int, int]
    roll_deg: float
    yaw_deg: float
    pitch_deg: float
    face_index: int
    face_count: int
    warnings: tuple[str, ...]
    crop: str = "face"
    around: ImageArray | None = None

    @property
    def inside(self) -> NDArray[np.bool_]:
        """[512, 512] which pixels of the crop show the photo; the others are padding, which shows nothing."""
        from .crop import inside_photo  # here, because that module needs the types of this one

        return inside_photo(self.matrix, self.source_size, self.image.shape[0])

    @property
    def outside_fraction(self) -> float:
        """The part of the crop that lies outside of the photo, 0 to 1."""
        return 1.0 - float(self.inside.mean())


def five_points(landmarks: FloatArray) -> FloatArray:
    """Eye centres, nose tip and mouth corners of 468 or 68 landmarks [N, D]: [5, 2], image left first."""
    is_mesh = len(landmarks) == 468
    eyes, others = (_MESH_EYES, _MESH_NOSE_AND_MOUTH) if is_mesh else (_IBUG_EYES, _IBUG_NOSE_AND_MOUTH)
    centres = [landmarks[list(eye), :2].mean(axis=0) for eye in eyes]
    return np.stack([*centres, *(landmarks[index, :2] for index in others)])
