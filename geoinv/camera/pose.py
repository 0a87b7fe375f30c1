"""Camera poses about the head: angles and a shift, and the cam2world matrix that they stand for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..conventions import FACE_ORBIT, Orbit
from ..errors import ShapeError
from .camera import Camera

TYPICAL_POSE = (0.4, 0.2, 0.1, 0.05, 0.05, 0.15)
"""Typical size of photos' poses, in the order of :meth:`CameraPose.as_vector`: the unit in which they are learned."""


def direction_at(yaw_rad: Tensor, pitch_rad: Tensor) -> Tensor:
    """[B, 3] unit vectors at yaws [B] from +z to +x and at pitches [B] up, in the world."""
    return torch.stack([yaw_rad.sin() * pitch_rad.cos(), pitch_rad.sin(), yaw_rad.cos() * pitch_rad.cos()], dim=-1)


@dataclass(frozen=True)
class CameraPose:
    """Batch of camera poses relative to the frontal camera of an orbit: at ``RADIUS`` from ``PIVOT`` for heads.

    Args:
        yaw_rad: [B] positive moves the camera to world +x.
        pitch_rad: [B] positive moves the camera up.
        roll_rad: [B] positive turns the camera clockwise about its viewing axis, so the head turns counter-clockwise
            in the image.
        shift: [B, 3] translation of the camera along its own x (right), y (down) and z (forward), in world units.
    """

    yaw_rad: Tensor
    pitch_rad: Tensor
    roll_rad: Tensor
    shift: Tensor

    def as_vector(self) -> Tensor:
        """[B, 6]: yaw, pitch, roll in radians, shift in world units."""
        angles = torch.stack([self.yaw_rad, self.pitch_rad, self.roll_rad], dim=-1)
        return torch.cat([angles, self.shift], dim=-1)

    @classmethod
    def from_vector(cls, vector: Tensor) -> CameraPose:
        """Inverse of :meth:`as_vector`; ``vector`` is [B, 6]."""
        if vector.ndim != 2 or vector.shape[1] != 6:
            raise ShapeError(f"camera vector must be [B, 6], got {list(vector.shape)}")
        return cls(vector[:, 0], vector[:, 1], vector[:, 2], vector[:, 3:6])

    @classmethod
    def from_angles(cls, yaw_rad: float, pitch_rad: float = 0.0, roll_rad: float = 0.0) -> CameraPose:
        """One unshifted pose, batch size 1."""
        return cls.from_vector(torch.tensor([[yaw_rad, pitch_rad, roll_rad, 0.0, 0.0, 0.0]]))

    def camera(self, orbit: Orbit) -> Camera:
        """The cameras that stand at these poses on an orbit, with its lens."""
        return Camera(self.cam2world(orbit), orbit.focal)

    def cam2world(self, orbit: Orbit) -> Tensor:
        """[B, 4, 4] in OpenCV axes."""
        yaw, pitch, roll = self.yaw_rad, self.pitch_rad, self.roll_rad
        zero = torch.zeros_like(yaw)
        direction = direction_at(yaw, pitch)
        forward = -direction
        right = torch.stack([yaw.cos(), zero, -yaw.sin()], dim=-1)
        down = torch.linalg.cross(forward, right)
        cos, sin = roll.cos()[:, None], roll.sin()[:, None]
        right, down = cos * right + sin * down, cos * down - sin * right
        rotation = torch.stack([right, down, forward], dim=-1)  # [B, 3, 3], camera axes as columns
        pivot = torch.tensor(orbit.pivot, dtype=yaw.dtype, device=yaw.device)
        origin = pivot + orbit.radius * direction + (rotation @ self.shift[..., None]).squeeze(-1)
        matrix = torch.zeros(*yaw.shape, 4, 4, dtype=yaw.dtype, device=yaw.device)
        matrix[..., :3, :3] = rotation
        matrix[..., :3, 3] = origin
        matrix[..., 3, 3] = 1.0
        return matrix

    @classmethod
    def from_cam2world(cls, matrix: Tensor, orbit: Orbit) -> CameraPose:
        """Inverse of :meth:`cam2world` for pitches strictly within +-90 degrees; ``matrix`` is [B, 4, 4]."""
        if matrix.ndim != 3 or matrix.shape[1:] != (4, 4):
            raise ShapeError(f"cam2world must be [B, 4, 4], got {list(matrix.shape)}")
        rotation, origin = matrix[:, :3, :3], matrix[:, :3, 3]
        direction = -rotation[:, :, 2]
        yaw = torch.atan2(direction[:, 0], direction[:, 2])
        pitch = torch.asin(direction[:, 1].clamp(-1.0, 1.0))
        level_right = torch.stack([yaw.cos(), torch.zeros_like(yaw), -yaw.sin()], dim=-1)
        level_down = torch.linalg.cross(-direction, level_right)
        right = rotation[:, :, 0]
        roll = torch.atan2((right * level_down).sum(-1), (right * level_right).sum(-1))
        pivot = torch.tensor(orbit.pivot, dtype=matrix.dtype, device=matrix.device)
        offset = origin - pivot - orbit.radius * direction
        shift = (rotation.transpose(1, 2) @ offset[..., None]).squeeze(-1)
        return cls(yaw, pitch, roll, shift)


def pose_vectors(cam2world: Tensor, orbit: Orbit = FACE_ORBIT) -> Tensor:
    """cam2world [B, 4, 4] about an orbit -> :meth:`CameraPose.as_vector`, [B, 6] float32, by way of float64."""
    return CameraPose.from_cam2world(cam2world.double(), orbit).as_vector().float()
