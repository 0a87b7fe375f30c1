"""Cameras about the head: turntables for video and evenly spread views for sheets."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ..errors import UsageError
from . import CameraPose

SWEEP_YAW_RAD = math.radians(35.0)
"""Largest yaw of views to each side: up to here heads of the training set are shown well."""

TURNTABLE_PITCH_RAD = math.radians(6.0)

WHOLE_HEAD_ZOOM = 0.68
"""Focal length that shows the whole head at every yaw of :data:`SWEEP_YAW_RAD`, hair included, over that of the photo's
crop, which ends at the hair line in front and in the middle of the head from the side."""


def poses_at(yaws_rad: Sequence[float], pitches_rad: Sequence[float] | float = 0.0) -> CameraPose:
    """Upright, unshifted cameras at given angles, one for each yaw."""
    pitches = [pitches_rad] * len(yaws_rad) if isinstance(pitches_rad, float | int) else list(pitches_rad)
    if len(pitches) != len(yaws_rad):
        raise UsageError(f"{len(yaws_rad)} yaws but {len(pitches)} pitches")
    vectors = [[yaw, pitch, 0.0, 0.0, 0.0, 0.0] for yaw, pitch in zip(yaws_rad, pitches, strict=True)]
    return CameraPose.from_vector(torch.tensor(vectors, dtype=torch.float32).reshape(-1, 6))


def sweep(views: int, *, max_yaw_rad: float = SWEEP_YAW_RAD, pitch_rad: float = 0.0) -> CameraPose:
    """Evenly spaced views from ``-max_yaw_rad`` to ``+max_yaw_rad``; a single view is frontal."""
    _check_count("views", views)
    if views == 1:
        return poses_at([0.0], pitch_rad)
    step = 2.0 * max_yaw_rad / (views - 1)
    return poses_at([-max_yaw_rad + step * index for index in range(views)], pitch_rad)


def turntable(
    frames: int,
    *,
    max_yaw_rad: float = SWEEP_YAW_RAD,
    pitch_rad: float = 0.0,
    nod_rad: float = TURNTABLE_PITCH_RAD,
) -> CameraPose:
    """A closed loop: yaw swings to both sides while pitch goes once round ``pitch_rad``.

    ``yaw = max_yaw sin t``, ``pitch = pitch + nod cos t`` with t over one turn, so that the last frame leads into the
    first and a video loops without a jump.
    """
    _check_count("frames", frames)
    turns = [2.0 * math.pi * index / frames for index in range(frames)]
    return poses_at(
        [max_yaw_rad * math.sin(turn) for turn in turns], [pitch_rad + nod_rad * math.cos(turn) for turn in turns]
    )


def turned(pose: CameraPose, yaw_rad: float, pitch_rad: float = 0.0) -> CameraPose:
    """Cameras moved on by yaw and pitch; roll and shift stay."""
    return CameraPose(pose.yaw_rad + yaw_rad, pose.pitch_rad + pitch_rad, pose.roll_rad, pose.shift)


def _check_count(name: str, count: int) -> None:
    if count < 1:
        raise UsageError(f"{name} must be at least 1, got {count}")
