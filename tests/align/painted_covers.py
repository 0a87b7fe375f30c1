"""Covers painted on a photo by its landmarks, and light that spoils it."""

from __future__ import annotations

import cv2
import numpy as np

from geoinv.align.face import FloatArray

_MASK = (
    *(234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454),
    *(280, 195, 50),
)


def with_mask(photo: np.ndarray, landmarks: FloatArray, color: tuple[int, int, int]) -> np.ndarray:
    """A cloth mask from the bridge of the nose to the chin."""
    outline = landmarks[list(_MASK), :2].round().astype(np.int32)
    weight = np.zeros(photo.shape[:2], np.float32)
    cv2.fillPoly(weight, [outline], (1.0,))
    cloth = np.clip(np.array(color) + np.random.default_rng(0).normal(0.0, 2.0, photo.shape), 0, 255)
    weight = cv2.GaussianBlur(weight, (0, 0), 1.0)[..., None]
    return (photo * (1.0 - weight) + cloth * weight).astype(np.uint8)


def with_sunglasses(photo: np.ndarray, landmarks: FloatArray) -> np.ndarray:
    """Dark round glasses that let 4 % of the light through."""
    weight = np.zeros(photo.shape[:2], np.float32)
    for left, right in ((33, 133), (362, 263)):
        middle = landmarks[[left, right], :2].mean(axis=0)
        width = float(np.linalg.norm(landmarks[left, :2] - landmarks[right, :2]))
        cv2.circle(weight, (round(middle[0]), round(middle[1])), round(0.95 * width), (0.96,), -1)
    weight = cv2.GaussianBlur(weight, (0, 0), 1.0)[..., None]
    return (photo * (1.0 - weight) + np.array([20, 20, 22]) * weight).astype(np.uint8)
