"""Views of held-out heads for metrics and sheets: every second pixel, over grey, compared over the true head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...camera import pixel_centres, rays_through
from ...images import write_image
from ...images.tensors import GREY
from ...metrics.image import psnr_db
from ...present.sheets import row, stack
from .ray_source import Heads, Rays


def true_view(rgba: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """A true picture at every second pixel.

    Args:
        rgba: [R, R, 4] with straight alpha.

    Returns:
        The view [r, r, 3] in [0, 1] over grey, and where the head is [r, r].
    """
    straight = torch.from_numpy(np.array(rgba[::2, ::2])).float() / 255.0
    alpha = straight[..., 3:]
    return straight[..., :3] * alpha + GREY * (1.0 - alpha), alpha[..., 0] > 0.5


def rendered_view(generator: Rays[Heads], planes: Heads, cam2world: Tensor, resolution: int) -> Tensor:
    """The view [r, r, 3] in [0, 1] over grey, on the CPU; see :func:`view_and_depth`."""
    return view_and_depth(generator, planes, cam2world, resolution)[0]


@torch.no_grad()
def view_and_depth(generator: Rays[Heads], planes: Heads, cam2world: Tensor, resolution: int) -> tuple[Tensor, Tensor]:
    """A head at every second pixel of a picture.

    Args:
        generator: Generator of the head.
        planes: One head.
        cam2world: [4, 4], on its device.
        resolution: Side of the whole picture in pixels.

    Returns:
        The view [r, r, 3] in [0, 1] over grey, and depth [r, r] along the optical axis in world units, nan where alpha
        is below one half; both on the CPU.
    """
    grid = pixel_centres(resolution, cam2world.device).reshape(resolution, resolution, 2)[::2, ::2]
    origins, directions = rays_through(cam2world[None], grid.reshape(-1, 2), focal=generator.config.orbit.focal)
    output = generator.render_rays(planes, origins, directions)
    color = output.features[0, :, :3] + GREY * (1.0 - output.alpha[0, :, None])
    cosine = directions[0] @ cam2world[:3, 2]
    depth = torch.where(output.alpha[0] > 0.5, output.distance[0] * cosine, torch.nan)
    return color.clamp(0.0, 1.0).reshape(*grid.shape[:2], 3).cpu(), depth.reshape(grid.shape[:2]).cpu()


def psnr_over(view: Tensor, truth: Tensor, on_head: Tensor) -> float:
    """PSNR in dB of a view [r, r, 3] against the truth, over the pixels ``on_head`` [r, r]."""
    image, target = (picture.permute(2, 0, 1)[None] for picture in (view, truth))
    return psnr_db(image, target, on_head[None, None].float()).item()


def save_comparison(path: Path, truths: list[Tensor], results: list[Tensor], columns: int = 12) -> None:
    """Write a sheet: rows of truths [H, W, 3] in [0, 1], each above a row of the results, ``columns`` wide."""
    rows = []
    for start in range(0, len(truths), columns):
        for images in (truths[start : start + columns], results[start : start + columns]):
            pictures = [np.asarray(image.clamp(0, 1).mul(255).round().byte().cpu().numpy()) for image in images]
            rows.append(row(pictures, gap=0))
    write_image(path, stack(rows, gap=0, background=0))
