"""Soft masks over the skin of the average head: beard areas and scalp."""

from __future__ import annotations

import numpy as np

from .assets import FloatArray


def _step(low: float, high: float, value: FloatArray) -> FloatArray:
    """Smooth step from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    smooth: FloatArray = (t * t * (3.0 - 2.0 * t)).astype(value.dtype)
    return smooth


def _polygon_distance(points: FloatArray, polygon: FloatArray) -> FloatArray:
    """Signed distance [N] of points [N, 2] to a closed polygon [P, 2]; negative inside."""
    a, b = polygon, np.roll(polygon, -1, 0)
    edge = b - a
    away = points[:, None] - a[None]
    t = np.clip((away * edge).sum(-1) / (edge * edge).sum(-1), 0.0, 1.0)
    distance = np.linalg.norm(away - t[..., None] * edge, axis=-1).min(1)
    crosses = (a[:, 1] > points[:, None, 1]) != (b[:, 1] > points[:, None, 1])
    with np.errstate(divide="ignore", invalid="ignore"):
        at_x = a[:, 0] + (points[:, None, 1] - a[:, 1]) / edge[:, 1] * edge[:, 0]
    inside = (crosses & (points[:, None, 0] < at_x)).sum(1) % 2 == 1
    signed: FloatArray = np.where(inside, -distance, distance)
    return signed


def beard_masks(points: FloatArray, landmarks: FloatArray) -> FloatArray:
    """Weights [N, 4] in [0, 1] of moustache, chin, jaw line and cheeks at points of the skin.

    Args:
        points: [N, 3] skin vertices of the average head in world units.
        landmarks: [68, 3] landmarks of the average head in world units.
    """
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    lips = landmarks[48:60, :2]
    off_lips = _step(0.002, 0.010, _polygon_distance(points[:, :2], lips))
    off_lips = np.where(z > landmarks[48, 2] - 0.03, off_lips, 1.0)
    mouth_y, mouth_x = landmarks[48, 1], abs(landmarks[48, 0])
    nose_y = landmarks[33, 1]
    chin_y, chin_z = landmarks[8, 1], landmarks[8, 2]
    ear_z, ear_y = landmarks[1, 2], landmarks[1, 1]
    front = _step(ear_z - 0.065, ear_z - 0.015, z)  # as far as the ears
    under = _step(chin_y - 0.065, chin_y - 0.02, y + 0.35 * (z - chin_z))
    top_line = mouth_y + 0.012 + (ear_y - mouth_y) * np.clip((x - 0.075) / 0.1, 0.0, 1.3) ** 1.5
    below_line = _step(0.0, 0.03, top_line - y)
    moustache = _step(0.0, 0.012, nose_y - 0.004 - y) * _step(-0.02, 0.0, y - mouth_y + 0.008)
    moustache *= 1.0 - _step(mouth_x - 0.004, mouth_x + 0.016, x)
    round_chin = np.hypot(x / (mouth_x + 0.01), (y - mouth_y + 0.075) / 0.11)
    chin = (1.0 - _step(0.75, 1.2, round_chin)) * _step(0.0, 0.02, mouth_y - 0.004 - y)
    low_jaw = _step(0.0, 0.05, mouth_y + 0.035 + 0.5 * np.clip(x - 0.12, 0.0, 1.0) - y)
    jaw = below_line * low_jaw * (1.0 - chin)
    cheek = below_line * (1.0 - low_jaw) * (1.0 - chin)
    masks = np.stack([moustache, chin * under, jaw * under, cheek], -1) * (off_lips * front)[:, None]
    weights: FloatArray = masks.astype(np.float32)
    return weights


_HAIRLINE = np.array(
    [
        [0, 0.272],
        [22, 0.268],
        [38, 0.235],
        [52, 0.200],
        [64, 0.130],
        [70, 0.035],
        [80, 0.030],
        [88, 0.100],
        [112, 0.080],
        [125, -0.030],
        [140, -0.110],
        [180, -0.135],
    ]
)
"""Heights of the hairline of the average head in world units by the angle from the front in degrees, about the axis of
the head: high forehead, receding temples, sideburns, round the ears, nape."""

_HAIRLINE_SOFTNESS = 0.05  # world units over which the scalp's weight goes from 0 to 1


def scalp_mask(points: FloatArray) -> FloatArray:
    """Weights [N] of the scalp in [0, 1], ears included: 1 where hair grows, 1/2 on the hairline.

    Args:
        points: [N, 3] points of the skin of the average head in world units.
    """
    angle = np.degrees(np.arctan2(np.abs(points[:, 0]), points[:, 2]))
    above = points[:, 1] - np.interp(angle, _HAIRLINE[:, 0], _HAIRLINE[:, 1])
    mask: FloatArray = np.clip(0.5 + above / _HAIRLINE_SOFTNESS, 0.0, 1.0).astype(np.float32)
    return mask
