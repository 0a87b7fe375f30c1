"""What of a view the photo had seen, and what the model guessed: a depth test against the photo's own view."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..camera import project
from ..camera.surface import points_from_depth
from ..conventions import FOCAL

TOLERANCE = 0.02
"""World units (7 mm) by which a point may lie behind the surface that the photo shows and still count as seen."""


def seen_in_source(
    depth: Tensor,  # [B, 1, h, h] camera z-depth of the views
    alpha: Tensor,  # [B, 1, h, h]
    cam2world: Tensor,  # [B, 4, 4]
    source_depth: Tensor,  # [1, 1, H, H] z-depth in the photo's view
    source_alpha: Tensor,  # [1, 1, H, H]
    source_cam2world: Tensor,  # [1, 4, 4]
    *,
    focal: float = FOCAL,
) -> Tensor:
    """Bool [B, 1, h, h]: the surface there lies in the photo's frame and nothing stands before it."""
    batch, _, side, _ = depth.shape
    points = points_from_depth(depth, cam2world, focal=focal).flatten(2).transpose(1, 2)  # [B, h * h, 3]
    position, distance = project(points, source_cam2world.expand(batch, -1, -1), focal=focal)
    grid = (position * 2.0 - 1.0).reshape(batch, side, side, 2)
    seen_depth, seen_alpha = (
        functional.grid_sample(map_.expand(batch, -1, -1, -1), grid, align_corners=False, padding_mode="border")
        for map_ in (source_depth, source_alpha)
    )
    inside = (grid.abs() <= 1.0).all(dim=-1)[:, None]
    in_front = distance.reshape(batch, 1, side, side) < seen_depth + TOLERANCE
    return inside & in_front & (seen_alpha > 0.5) & (alpha > 0.5)


def seen_share(seen: Tensor, alpha: Tensor) -> Tensor:
    """[B] share of the solid pixels [B, 1, h, h] that were seen; 0 where nothing is solid."""
    solid = (alpha > 0.5).flatten(1).sum(dim=1)
    return seen.flatten(1).sum(dim=1) / torch.clamp(solid, min=1)
