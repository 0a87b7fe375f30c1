"""The final picture as a loss: a patch of it, through a super-resolution that reads the code."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...camera import CameraPose
from ...models.generator import TriPlaneGenerator
from .rays import SampleCounts, guided_distances, own_surface

PATCH_SIDE = 32
"""Most rays along a side of the patch."""
HYBRID_BORDER = 5
"""Rays along the edge of a patch whose super-resolution misses its neighbours."""


def picture_loss(
    generator: TriPlaneGenerator,
    planes: Tensor,  # [B, 3, C, R, R]
    w_plus: Tensor,  # [B, num_ws, w_dim]
    pose: CameraPose,
    pictures: Tensor,  # [B, 3, H, H] in [0, 1]
    samples: SampleCounts,
    random: torch.Generator,
) -> Tensor:
    """Mean squared error of a patch of the final pictures of opaque generators, at one random place in all of them.

    Args:
        generator: Generator of the planes.
        planes: Heads.
        w_plus: Their codes.
        pose: Their true cameras, B of them.
        pictures: What they should show.
        samples: Samples on each ray.
        random: Generator on the CPU for the patch's place and for samples.
    """
    config = generator.config
    grid, times = config.neural_resolution, config.enlargement
    side = min(PATCH_SIDE, grid)
    top, left = (int(torch.randint(grid - side + 1, (1,), generator=random)) for _ in range(2))
    ticks = torch.arange(side, device=planes.device) + 0.5
    y, x = torch.meshgrid((ticks + top) / grid, (ticks + left) / grid, indexing="ij")
    origins, directions = pose.camera(config.orbit).rays(torch.stack([x, y], dim=-1).reshape(-1, 2))
    surface = own_surface(generator, planes, origins, directions)
    distances = guided_distances(origins, directions, surface, config.render.box_side, samples, random)
    output = generator.march(planes, origins, directions, distances)
    features = output.features.transpose(1, 2).reshape(len(planes), -1, side, side)
    alpha = output.alpha.reshape(-1, 1, side, side)
    shown, _ = generator.superresolved(features, alpha, w_plus, grid=grid)
    true = pictures[..., times * top : times * (top + side), times * left : times * (left + side)]
    inner = slice(None) if side == grid else slice(times * HYBRID_BORDER, -times * HYBRID_BORDER)
    return F.mse_loss(shown[..., inner, inner], true[..., inner, inner])
