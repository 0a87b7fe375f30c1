"""Rays through the pixels of a camera, and the way back: points projected into its picture."""

from __future__ import annotations

import torch
from torch import Tensor


def pixel_centres(resolution: int, device: torch.device | None = None) -> Tensor:
    """[R * R, 2] normalised (x, y) pixel centres in [0, 1], row by row."""
    ticks = (torch.arange(resolution, dtype=torch.float32, device=device) + 0.5) / resolution
    y, x = torch.meshgrid(ticks, ticks, indexing="ij")
    return torch.stack([x, y], dim=-1).reshape(-1, 2)


def rays_through(cam2world: Tensor, pixels: Tensor, *, focal: float) -> tuple[Tensor, Tensor]:
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


def project(points: Tensor, cam2world: Tensor, *, focal: float) -> tuple[Tensor, Tensor]:
    """World points [B, N, 3] to normalised image (x, y) [B, N, 2] and camera depth z [B, N]."""
    rotation, origin = cam2world[:, :3, :3], cam2world[:, None, :3, 3]
    in_camera = (points - origin) @ rotation
    depth = in_camera[..., 2]
    return in_camera[..., :2] / depth[..., None] * focal + 0.5, depth
