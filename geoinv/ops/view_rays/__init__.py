"""What views of heads do to each of their rays: light on what was composited, and whether a photo shows what was hit.

Fused, because views were a third slower with a pass through memory for each product and sum.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ...errors import ShapeError
from .._build import takes_floats
from .._compile import Operation
from .._gradients import needs_gradient
from .reference import light_rays_reference, seen_at_depth_reference

OPERATION = Operation("view_rays", (Path(__file__).parent / "view_rays_cpu.cpp",))

__all__ = ["light_rays", "light_rays_reference", "seen_at_depth", "seen_at_depth_reference"]


def light_rays(composited: Tensor, directions: Tensor, light: Tensor) -> Tensor:
    """Display colours [B, N, 3], premultiplied, of what rays composited; may exceed 1, where a picture clips.

    color = albedo * shade(normal) ^ (1 / 2.2) + gloss * shade(reflected direction) ^ (1 / 2.2)

    Args:
        composited: [B, N, 7] albedo 3, gloss 1, normal 3, premultiplied.
        directions: [B, N, 3] of the rays, unit vectors.
        light: [B, 9, 3] or [1, 9, 3] (:mod:`geoinv.light`).

    Raises:
        ShapeError: A tensor is not of the stated shape.

    Differentiability: native without gradients; any order through the reference.
    """
    batch, count = composited.shape[:2]
    shapes = tuple(composited.shape), tuple(directions.shape), tuple(light.shape)
    if shapes[:2] != ((batch, count, 7), (batch, count, 3)) or shapes[2] not in ((batch, 9, 3), (1, 9, 3)):
        raise ShapeError(f"rays [B, N, 7] and [B, N, 3] and light [B, 9, 3] do not fit: {shapes}")
    tensors = (composited, directions, light)
    if needs_gradient(*tensors) or not takes_floats(OPERATION, *tensors):
        return light_rays_reference(*tensors)
    colors: Tensor = torch.ops.geoinv.view_rays_lit(*(tensor.contiguous() for tensor in tensors))
    return colors


def seen_at_depth(
    positions: Tensor, distance: Tensor, depth: Tensor, facing: Tensor, *, near: float, far: float
) -> Tensor:
    """[B, N] in [0, 1] how surely photos show points: the share of the 3 x 3 pixels about each whose depth is that of
    the point, times how squarely the photo looks there.

    Args:
        positions: [B, N, 2] normalised positions in the photos.
        distance: [B, N] of the points along the optical axis, world units.
        depth: [B, 1, S, S] of the photos' views, 0 where nothing is solid.
        facing: [B, 1, S, S] in [0, 1], how squarely the surface is seen.
        near: Difference of depths up to which a pixel shows the point, world units.
        far: Difference from which it does not.

    Raises:
        ShapeError: A tensor is not of the stated shape.

    Differentiability: native without gradients; any order through the reference.
    """
    batch, count = distance.shape
    is_of_photos = len(depth) == batch and depth.shape[1] == 1 and depth.shape == facing.shape
    if positions.shape != (batch, count, 2) or not is_of_photos:
        shapes = [list(part.shape) for part in (positions, distance, depth, facing)]
        raise ShapeError(f"positions [B, N, 2], distance [B, N], depth and facing [B, 1, S, S] do not fit: {shapes}")
    tensors = (positions, distance, depth, facing)
    if needs_gradient(*tensors) or not takes_floats(OPERATION, *tensors):
        return seen_at_depth_reference(*tensors, near, far)
    shares: Tensor = torch.ops.geoinv.view_rays_seen(*(tensor.contiguous() for tensor in tensors), near, far)
    return shares
