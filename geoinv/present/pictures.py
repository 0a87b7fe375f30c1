"""Renders as pictures for people: colour, depth in a perceptual colour map, and normals, each over a background."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ..images.tensors import at_side

if TYPE_CHECKING:
    from ..models.render_output import RenderOutput

Picture = NDArray[np.uint8]
"""[H, W, 3] RGB."""


_STRONG_CHANGE = 0.25  # of colours in [0, 1], the mean of all three


def color_picture(render: RenderOutput, *, background: float = 1.0, index: int = 0) -> Picture:
    """One image of a render over a grey background in [0, 1]."""
    return _to_bytes(render.cpu().over(background)[index].permute(1, 2, 0).numpy())


def depth_range(
    depth: Tensor,  # [B, 1, h, h]
    alpha: Tensor,  # [B, 1, H, H]
) -> tuple[float, float]:
    """Nearest and farthest depth to colour: the 1st and 99th percentile over solid pixels, of all views together."""
    solid = depth[at_side(alpha, depth.shape[-1]) > 0.5].detach().float().cpu().numpy()
    if solid.size == 0:
        return 0.0, 1.0
    near, far = np.percentile(solid, [1.0, 99.0])
    return float(near), float(max(far, near + 1e-6))


def depth_picture(
    depth: Tensor,  # [1, h, h] camera z-depth
    alpha: Tensor,  # [1, H, H] in [0, 1]
    *,
    limits: tuple[float, float] | None = None,
) -> Picture:
    """Depth through the inferno map over white, at the side of alpha: near is bright, far is dark.

    Args:
        depth: Depth of one view of a ``RenderOutput``.
        alpha: Alpha of the same view; it may be larger.
        limits: Nearest and farthest depth; by default what the view holds. Give the same to every frame of a video.
    """
    import cv2

    depth, alpha = depth[None], alpha[None]
    near, far = limits if limits is not None else depth_range(depth, alpha)
    values = at_side(_solid_only(depth, alpha, far), alpha.shape[-1])[0, 0].detach().float().cpu().numpy()
    nearness = np.clip((far - values) / (far - near), 0.0, 1.0)
    # Inferno from 10 % up: its black end would read as a hole.
    levels = np.round(255.0 * (0.1 + 0.9 * nearness)).astype(np.uint8)
    mapped = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[:, :, ::-1]
    return _over_white(mapped.astype(np.float32) / 255.0, alpha)


def normal_picture(
    normals: Tensor,  # [3, h, h] world, zero where unknown
    alpha: Tensor,  # [1, H, H]
) -> Picture:
    """Normals as colours over white, at the side of alpha: red = world x, green = up, blue = the face's front."""
    normals, alpha = normals[None], alpha[None]
    vectors = functional.normalize(at_side(normals, alpha.shape[-1]), dim=1)
    is_known = at_side((normals.norm(dim=1, keepdim=True) > 0.5).to(alpha.dtype), alpha.shape[-1])
    colors = ((vectors + 1.0) / 2.0)[0].detach().float().cpu().permute(1, 2, 0).numpy()
    return _over_white(colors, alpha * is_known)


_GUESSED = np.array([150.0, 60.0, 220.0])
"""Violet, which no skin, hair or cloth of ours has."""


def change_picture(
    color: Tensor,  # [3, H, W] in [0, 1]
    other: Tensor,  # [3, H, W]
    alpha: Tensor,  # [1, H, W]
) -> Picture:
    """Picture of the difference of two renders, by the viridis map over white: dark is none, yellow is 0.25 or more."""
    import cv2

    change = (color - other).abs().mean(dim=0).detach().float().cpu().numpy()
    levels = np.round(255.0 * np.clip(change / _STRONG_CHANGE, 0.0, 1.0)).astype(np.uint8)
    mapped = cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)[:, :, ::-1]
    return _over_white(mapped.astype(np.float32) / 255.0, alpha[None])


def tinted_where(picture: Picture, strength: NDArray[np.float32]) -> Picture:
    """[H, W, 3] drawn toward violet where strength [H, W] in [0, 1] is large; light and dark stay readable."""
    weight = 0.6 * strength[:, :, None]
    return _to_bytes((picture * (1.0 - weight) + _GUESSED * weight).astype(np.float32) / 255.0)


def _solid_only(depth: Tensor, alpha: Tensor, far: float) -> Tensor:
    """Depth with ``far`` where the view is empty, so that enlarging it does not smear whatever stood there."""
    return torch.where(at_side(alpha, depth.shape[-1]) > 0.02, depth, torch.full_like(depth, far))


def _over_white(color: NDArray[np.float32], alpha: Tensor) -> Picture:
    """[H, W, 3] and [1, 1, H, W] over white."""
    weight = alpha[0, 0].detach().float().cpu().numpy()[:, :, None]
    return _to_bytes(color * weight + (1.0 - weight))


def _to_bytes(image: NDArray[np.float32]) -> Picture:
    return np.round(np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)
