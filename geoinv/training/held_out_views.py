"""How validation looks at held-out heads: views at every second pixel, over grey, compared over the true head."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ..camera import pixel_centres, rays_through
from ..models.generator import TriPlaneGenerator

_RAYS_AT_ONCE = 2048


def true_view(rgba: np.ndarray) -> tuple[Tensor, Tensor]:
    """rgba uint8 [R, R, 4], straight alpha -> the view [r, r, 3] in [0, 1] over grey, and where the head is [r, r]."""
    straight = torch.from_numpy(np.array(rgba[::2, ::2])).float() / 255.0
    alpha = straight[..., 3:]
    return straight[..., :3] * alpha + 0.5 * (1.0 - alpha), alpha[..., 0] > 0.5


@torch.no_grad()
def rendered_view(generator: TriPlaneGenerator, planes: Tensor, cam2world: Tensor, resolution: int) -> Tensor:
    """planes [1, 3, C, R, R], cam2world [4, 4] -> the view [r, r, 3] in [0, 1] over grey."""
    grid = pixel_centres(resolution).reshape(resolution, resolution, 2)[::2, ::2]
    origins, directions = rays_through(cam2world[None], grid.reshape(-1, 2))
    rays = zip(origins.split(_RAYS_AT_ONCE, dim=1), directions.split(_RAYS_AT_ONCE, dim=1), strict=True)
    outputs = [generator.render_rays(planes, o, d) for o, d in rays]
    color = torch.cat([output.features[0, :, :3] for output in outputs])
    alpha = torch.cat([output.alpha[0] for output in outputs])[:, None]
    return (color + 0.5 * (1.0 - alpha)).clamp(0.0, 1.0).reshape(*grid.shape[:2], 3)


def psnr_over(view: Tensor, truth: Tensor, on_head: Tensor) -> float:
    """PSNR in dB of [r, r, 3] over the pixels [r, r]."""
    error = (view - truth)[on_head].square().mean().item()
    return -10.0 * math.log10(max(error, 1e-10))
