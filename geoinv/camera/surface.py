"""Surface points and normals from a depth map."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import ShapeError
from ..images.tensors import at_side
from . import pixel_centres


def points_from_depth(
    depth: Tensor,  # [B, 1, H, H] camera z-depth, world units
    cam2world: Tensor,  # [B, 4, 4]
    *,
    focal: float,
) -> Tensor:
    """World points [B, 3, H, H] that the pixel centres see."""
    if depth.ndim != 4 or depth.shape[1] != 1 or depth.shape[2] != depth.shape[3]:
        raise ShapeError(f"depth must be [B, 1, H, H], got {list(depth.shape)}")
    batch, _, side, _ = depth.shape
    pixels = pixel_centres(side, depth.device).to(depth.dtype)  # [H * H, 2]
    planar = torch.cat([(pixels - 0.5) / focal, torch.ones_like(pixels[:, :1])], dim=1)  # [H * H, 3]
    in_camera = planar * depth.reshape(batch, -1, 1)  # [B, H * H, 3]
    world = in_camera @ cam2world[:, :3, :3].transpose(1, 2) + cam2world[:, None, :3, 3]
    return world.transpose(1, 2).reshape(batch, 3, side, side)


def normals_from_depth(
    depth: Tensor,  # [B, 1, H, H] camera z-depth, world units
    alpha: Tensor,  # [B, 1, H, H]
    cam2world: Tensor,  # [B, 4, 4]
    *,
    min_alpha: float = 0.5,
    focal: float,
) -> Tensor:
    """Unit world normals [B, 3, H, H] that face the camera; zero where the surface is unknown.

    Cross product of the differences between neighbouring surface points: central where both neighbours are solid,
    one-sided at the outline, so that the background's depth never enters.
    """
    points = points_from_depth(depth, cam2world, focal=focal)
    solid = alpha > min_alpha  # [B, 1, H, H]
    along_x, has_x = _difference(points, solid, axis=3)
    along_y, has_y = _difference(points, solid, axis=2)
    # Image y runs down, so down x right faces the camera (right x down is the optical axis).
    normals = torch.linalg.cross(along_y, along_x, dim=1)
    return functional.normalize(normals, dim=1, eps=1e-12) * (has_x & has_y)


def _difference(points: Tensor, solid: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Mean of the forward and backward differences that stay on the surface, and where there is one."""
    side = points.shape[axis]
    step = points.narrow(axis, 1, side - 1) - points.narrow(axis, 0, side - 1)
    is_inside = solid.narrow(axis, 1, side - 1) & solid.narrow(axis, 0, side - 1)
    step = torch.where(is_inside, step, torch.zeros_like(step))
    before, after = ((1, 0), (0, 1)) if axis == 3 else ((0, 0, 1, 0), (0, 0, 0, 1))
    total = functional.pad(step, before) + functional.pad(step, after)
    exists = functional.pad(is_inside, before) | functional.pad(is_inside, after)
    return total, exists


def render_normals(
    depth: Tensor,  # [B, 1, h, h] camera z-depth of a ``RenderOutput``
    alpha: Tensor,  # [B, 1, H, H] its opacity, which super-resolution may have enlarged
    cam2world: Tensor,  # [B, 4, 4]
    *,
    focal: float,
) -> Tensor:
    """World normals [B, 3, h, h] of a render, at the side of its depth."""
    return normals_from_depth(depth, at_side(alpha, depth.shape[-1]), cam2world, focal=focal)
