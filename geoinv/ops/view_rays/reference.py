"""What views do to each of their rays, in plain torch: the specification, and the road for gradients."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...light import shaded_color


def light_rays_reference(composited: Tensor, directions: Tensor, light: Tensor) -> Tensor:
    """Display colours [B, N, 3]; arguments as in :func:`geoinv.ops.view_rays.light_rays`."""
    albedo, gloss, normal = composited.split([3, 1, 3], dim=-1)
    normal = F.normalize(normal, dim=-1)
    reflected = directions - 2.0 * (directions * normal).sum(dim=-1, keepdim=True) * normal
    return shaded_color(albedo, light, normal) + shaded_color(gloss, light, reflected)


def seen_at_depth_reference(
    positions: Tensor, distance: Tensor, depth: Tensor, facing: Tensor, near: float, far: float
) -> Tensor:
    """[B, N] in [0, 1]; arguments as in :func:`geoinv.ops.view_rays.seen_at_depth`."""
    side = depth.shape[-1]
    grid = positions[:, :, None] * 2.0 - 1.0
    total = torch.zeros_like(distance)
    for row in (-1, 0, 1):
        for column in (-1, 0, 1):
            about = grid + 2.0 / side * torch.tensor([column, row], dtype=grid.dtype, device=grid.device)
            shown = F.grid_sample(depth, about, mode="nearest", align_corners=False)[:, 0, :, 0]  # 0 beside the photo
            away = (distance - shown).abs()
            total = total + (1.0 - ((away - near) / (far - near)).clamp(0.0, 1.0)) * (shown > 0.0)
    return total / 9.0 * F.grid_sample(facing, grid, align_corners=False)[:, 0, :, 0]
