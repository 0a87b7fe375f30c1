"""The rotation of :class:`geoinv.camera.CameraPose` with its derivatives by the three angles."""

from __future__ import annotations

import torch
from torch import Tensor


def world_to_camera(yaw_rad: Tensor, pitch_rad: Tensor, roll_rad: Tensor) -> tuple[Tensor, Tensor]:
    """Rotation from world to camera axes, and its derivatives.

    A point x of the world is seen at ``rotation @ (x - pivot) + (0, 0, radius) - shift`` in the camera's axes.

    Args:
        yaw_rad: Scalar.
        pitch_rad: Scalar.
        roll_rad: Scalar.

    Returns:
        Rotation [3, 3]: rows are the camera's right, down and forward axes; derivatives [3, 3, 3] by yaw, pitch and
        roll.
    """
    zero, one = torch.zeros_like(yaw_rad), torch.ones_like(yaw_rad)
    sin_yaw, cos_yaw = yaw_rad.sin(), yaw_rad.cos()
    sin_pitch, cos_pitch = pitch_rad.sin(), pitch_rad.cos()
    sin_roll, cos_roll = roll_rad.sin(), roll_rad.cos()
    yaw = _matrix(cos_yaw, zero, -sin_yaw, zero, one, zero, sin_yaw, zero, cos_yaw)
    by_yaw = _matrix(-sin_yaw, zero, -cos_yaw, zero, zero, zero, cos_yaw, zero, -sin_yaw)
    pitch = _matrix(one, zero, zero, zero, -cos_pitch, sin_pitch, zero, -sin_pitch, -cos_pitch)
    by_pitch = _matrix(zero, zero, zero, zero, sin_pitch, cos_pitch, zero, -cos_pitch, sin_pitch)
    roll = _matrix(cos_roll, sin_roll, zero, -sin_roll, cos_roll, zero, zero, zero, one)
    by_roll = _matrix(-sin_roll, cos_roll, zero, -cos_roll, -sin_roll, zero, zero, zero, zero)
    derivatives = torch.stack([roll @ pitch @ by_yaw, roll @ by_pitch @ yaw, by_roll @ pitch @ yaw])
    return roll @ pitch @ yaw, derivatives


def _matrix(*entries: Tensor) -> Tensor:
    return torch.stack(entries).reshape(3, 3)
