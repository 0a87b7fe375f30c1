"""The face in a picture as the hull of its landmarks: no hair, no ears, no background."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .face import FloatArray


def landmark_hull(
    landmarks: FloatArray,  # [N, 2 or 3] in pixels of the picture
    shape: tuple[int, ...],
) -> NDArray[np.uint8]:
    """[H, W], 1 inside the convex hull of the landmarks."""
    import cv2

    mask = np.zeros(shape, dtype=np.uint8)
    points = np.round(landmarks[:, :2] - 0.5).astype(np.int32)
    cv2.fillConvexPoly(mask, cv2.convexHull(points), (1,))
    return mask
