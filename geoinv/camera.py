"""Cameras: poses about the head, EG3D's 25-number labels, and rays through pixels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .conventions import FACE_ORBIT, FOCAL, Orbit
from .errors import ShapeError


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

    def cam2world(self, orbit: Orbit = FACE_ORBIT) -> Tensor:
        """[B, 4, 4] in OpenCV axes."""
        yaw, pitch, roll = self.yaw_rad, self.pitch_rad, self.roll_rad
        zero = torch.zeros_like(yaw)
        direction = torch.stack([yaw.sin() * pitch.cos(), pitch.sin(), yaw.cos() * pitch.cos()], dim=-1)  # [B, 3]
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
    def from_cam2world(cls, matrix: Tensor, orbit: Orbit = FACE_ORBIT) -> CameraPose:
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


def pose_vectors(cam2world: Tensor) -> Tensor:
    """cam2world [B, 4, 4] about a face -> :meth:`CameraPose.as_vector`, [B, 6] float32, by way of float64."""
    return CameraPose.from_cam2world(cam2world.double()).as_vector().float()


def intrinsics(focal: float = FOCAL) -> Tensor:
    """[3, 3] pinhole matrix normalised by image size."""
    return torch.tensor([[focal, 0.0, 0.5], [0.0, focal, 0.5], [0.0, 0.0, 1.0]])


def to_label(cam2world: Tensor, intrinsics: Tensor) -> Tensor:
    """EG3D's 25 numbers: [B, 4, 4] and [3, 3] -> [B, 25]."""
    batch = cam2world.shape[0]
    return torch.cat([cam2world.reshape(batch, 16), intrinsics.reshape(1, 9).expand(batch, 9)], dim=1)


def from_label(label: Tensor) -> tuple[Tensor, Tensor]:
    """EG3D's 25 numbers [B, 25] -> cam2world [B, 4, 4], intrinsics [B, 3, 3]."""
    if label.ndim != 2 or label.shape[1] != 25:
        raise ShapeError(f"label must be [B, 25], got {list(label.shape)}")
    return label[:, :16].reshape(-1, 4, 4), label[:, 16:].reshape(-1, 3, 3)


def pixel_centres(resolution: int, device: torch.device | None = None) -> Tensor:
    """[R * R, 2] normalised (x, y) pixel centres in [0, 1], row by row."""
    ticks = (torch.arange(resolution, dtype=torch.float32, device=device) + 0.5) / resolution
    y, x = torch.meshgrid(ticks, ticks, indexing="ij")
    return torch.stack([x, y], dim=-1).reshape(-1, 2)


def rays_through(cam2world: Tensor, pixels: Tensor, *, focal: float = FOCAL) -> tuple[Tensor, Tensor]:
    """World rays through normalised image positions, skew-free and centred.

    Args:
        cam2world: [B, 4, 4].
        pixels: [B, N, 2] or [N, 2], (x, y) in [0, 1].
        focal: Focal length over image size.

    Returns:
        Origins [B, N, 3] and unit directions [B, N, 3].
    """
    if pixels.ndim == 2:
        pixels = pixels.expand(cam2world.shape[0], -1, -1)
    planar = (pixels - 0.5) / focal
    in_camera = torch.cat([planar, torch.ones_like(planar[..., :1])], dim=-1)  # [B, N, 3]
    directions = torch.nn.functional.normalize(in_camera @ cam2world[:, :3, :3].transpose(1, 2), dim=-1)
    origins = cam2world[:, None, :3, 3].expand_as(directions)
    return origins, directions


def project(points: Tensor, cam2world: Tensor, *, focal: float = FOCAL) -> tuple[Tensor, Tensor]:
    """World points [B, N, 3] to normalised image (x, y) [B, N, 2] and camera depth z [B, N]."""
    rotation, origin = cam2world[:, :3, :3], cam2world[:, None, :3, 3]
    in_camera = (points - origin) @ rotation
    depth = in_camera[..., 2]
    return in_camera[..., :2] / depth[..., None] * focal + 0.5, depth
