"""Visibility: how surely each point of space lies on the surface that a photo shows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..conventions import MM_PER_UNIT
from ..ops.view_rays import seen_at_depth
from .camera import Camera

_GRAZING, _SQUARE = 0.1, 0.4
"""Cosines between the surface and the photo's ray (84 and 66 degrees): up to the first nothing is trusted, from the
second on all."""
_NEAR, _FAR = 0.02, 0.05
"""Units of :data:`MM_PER_UNIT` (7 and 18 mm) from the surface that the photo shows: up to the first a point is seen,
from the second on hidden."""

SEEN = 0.5
"""A point counts as seen where its visibility is above this."""


def visibility(points: Tensor, depth: Tensor, camera: Camera, *, mm_per_unit: float = MM_PER_UNIT) -> Tensor:
    """Visibility of world points in a photo: how surely the photo shows them.

    The depth test is averaged over neighbouring pixels (as for soft shadows: Reeves et al., SIGGRAPH 1987), so that its
    edges are no stairs, and weighed by how squarely the photo looks at the surface there.

    Args:
        points: [B, N, 3] in world units.
        depth: [B, 1, S, S] of the photo's view along the optical axis in world units, 0 where nothing is solid.
        camera: The photo's, of B views.
        mm_per_unit: Millimetres of a life-sized head in a world unit.

    Returns:
        [B, N, 1] in [0, 1]; 0 outside the photo's frame.
    """
    positions, distance = camera.project(points)
    near, far = (limit * (MM_PER_UNIT / mm_per_unit) for limit in (_NEAR, _FAR))
    return seen_at_depth(positions, distance, depth, _facing(depth, camera.focal), near=near, far=far)[..., None]


def _facing(depth: Tensor, focal: float) -> Tensor:
    """[B, 1, S, S] in [0, 1]: 1 where the surface of a depth map is seen squarely, 0 at grazing angles and outlines."""
    side = depth.shape[-1]
    across = F.pad(depth, (1, 1, 1, 1), mode="replicate")
    slope_x = 0.5 * (across[..., 1:-1, 2:] - across[..., 1:-1, :-2])
    slope_y = 0.5 * (across[..., 2:, 1:-1] - across[..., :-2, 1:-1])
    pixel = depth.clamp_min(1e-3) / (focal * side)  # world units that a pixel covers
    cosine = torch.rsqrt(1.0 + (slope_x.square() + slope_y.square()) / pixel.square())
    certain = ramp(cosine, _GRAZING, _SQUARE)
    return F.avg_pool2d(certain, 3, stride=1, padding=1, count_include_pad=False)


def ramp(value: Tensor, start: float, stop: float) -> Tensor:
    """0 up to ``start``, 1 from ``stop`` on, a straight line between."""
    return ((value - start) / (stop - start)).clamp(0.0, 1.0)
