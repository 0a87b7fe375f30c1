"""How validation looks at held-out heads: views at every second pixel, over grey, compared over the true head."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...camera import pixel_centres, rays_through
from ...metrics.image import psnr_db
from ...models.generator import TriPlaneGenerator


def true_view(rgba: np.ndarray) -> tuple[Tensor, Tensor]:
    """rgba uint8 [R, R, 4], straight alpha -> the view [r, r, 3] in [0, 1] over grey, and where the head is [r, r]."""
    straight = torch.from_numpy(np.array(rgba[::2, ::2])).float() / 255.0
    alpha = straight[..., 3:]
    return straight[..., :3] * alpha + 0.5 * (1.0 - alpha), alpha[..., 0] > 0.5


def rendered_view(generator: TriPlaneGenerator, planes: Tensor, cam2world: Tensor, resolution: int) -> Tensor:
    """planes [1, 3, C, R, R], cam2world [4, 4] -> the view [r, r, 3] in [0, 1] over grey."""
    return view_and_depth(generator, planes, cam2world, resolution)[0]


@torch.no_grad()
def view_and_depth(
    generator: TriPlaneGenerator, planes: Tensor, cam2world: Tensor, resolution: int
) -> tuple[Tensor, Tensor]:
    """The same, and depth [r, r] along the optical axis in world units, nan where alpha is below one half."""
    grid = pixel_centres(resolution).reshape(resolution, resolution, 2)[::2, ::2]
    origins, directions = rays_through(cam2world[None], grid.reshape(-1, 2))
    output = generator.render_rays(planes, origins, directions)
    color = output.features[0, :, :3] + 0.5 * (1.0 - output.alpha[0, :, None])
    cosine = directions[0] @ cam2world[:3, 2]
    depth = torch.where(output.alpha[0] > 0.5, output.distance[0] * cosine, torch.nan)
    return color.clamp(0.0, 1.0).reshape(*grid.shape[:2], 3), depth.reshape(grid.shape[:2])


def psnr_over(view: Tensor, truth: Tensor, on_head: Tensor) -> float:
    """PSNR in dB of [r, r, 3] over the pixels [r, r]."""
    image, target = (picture.permute(2, 0, 1)[None] for picture in (view, truth))
    return psnr_db(image, target, on_head[None, None].float()).item()
