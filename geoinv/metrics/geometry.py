"""Errors of depth and of surface normals over the pixels that both the render and the truth call solid."""

from __future__ import annotations

import torch
from torch import Tensor

from ..conventions import MM_PER_UNIT
from ..errors import ShapeError

SOLID_ALPHA = 0.5
"""A pixel counts where the alpha of both pictures is above this."""


def both_solid(
    alpha: Tensor,  # [B, 1, H, W]
    target_alpha: Tensor,  # [B, 1, H, W]
) -> Tensor:
    """[B, 1, H, W] bool: pixels that are solid in both."""
    return (alpha > SOLID_ALPHA) & (target_alpha > SOLID_ALPHA)


def depth_error_units(
    depth: Tensor,  # [B, 1, H, W] camera z-depth, world units
    target: Tensor,  # [B, 1, H, W]
    mask: Tensor,  # [B, 1, H, W] bool
) -> Tensor:
    """Mean absolute difference of depth per image, in world units. [B]; nan where the mask is empty."""
    return _mean_over((depth - target).abs(), mask)


def shape_depth_error_units(
    depth: Tensor,  # [B, 1, H, W] camera z-depth, world units
    target: Tensor,  # [B, 1, H, W]
    mask: Tensor,  # [B, 1, H, W] bool
) -> Tensor:
    """Depth error after the whole head is moved along the view by the median difference: what is wrong with its shape.

    How far away a head of unknown size is, one photo hardly tells. [B], in world units; nan where the mask is empty.
    """
    difference = torch.where(mask, depth - target, torch.nan).flatten(1)
    median = difference.nanmedian(dim=1).values[:, None, None, None]
    return depth_error_units(depth - median, target, mask)


def units_to_mm(value: float) -> float:
    """World units to millimetres on a life-sized head."""
    return value * MM_PER_UNIT


def normal_error_deg(
    normals: Tensor,  # [B, 3, H, W] world, any length; zero where unknown
    target: Tensor,  # [B, 3, H, W]
    mask: Tensor,  # [B, 1, H, W] bool
) -> Tensor:
    """Mean angle between normals per image, in degrees. [B]; pixels where either normal is zero do not count."""
    if normals.shape != target.shape or normals.ndim != 4 or normals.shape[1] != 3:
        raise ShapeError(f"normals must both be [B, 3, H, W], got {list(normals.shape)}, {list(target.shape)}")
    known = (normals.norm(dim=1, keepdim=True) > 1e-6) & (target.norm(dim=1, keepdim=True) > 1e-6)
    # atan2 of cross and dot, not acos: exact for equal vectors.
    sine = torch.linalg.cross(normals, target, dim=1).norm(dim=1, keepdim=True)
    cosine = (normals * target).sum(dim=1, keepdim=True)
    return _mean_over(torch.rad2deg(torch.atan2(sine, cosine)), mask & known)


def _mean_over(values: Tensor, mask: Tensor) -> Tensor:
    """[B, 1, H, W] -> [B]; values outside the mask may be anything, nan included."""
    if values.shape != mask.shape:
        raise ShapeError(f"mask must be {list(values.shape)}, got {list(mask.shape)}")
    inside = torch.where(mask, values, torch.zeros_like(values))
    return inside.sum(dim=(1, 2, 3)) / mask.sum(dim=(1, 2, 3))
