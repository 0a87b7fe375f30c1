"""Two passes through rays by operations that know nothing of them, whatever these read samples from."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from . import volume
from .reference import RayOutput, RaySampling, even_distances


def march_two_passes(
    march: Callable[[Tensor], RayOutput],
    origins: Tensor,  # [B, N, 3]
    directions: Tensor,  # [B, N, 3]
    sampling: RaySampling,
    *,
    first: Callable[[Tensor], RayOutput] | None = None,
) -> RayOutput:
    """What the march of all samples sees; one without gradients places those of the second pass.

    Args:
        march: The march of these rays, given distances [B, N, S].
        origins: World positions where rays start.
        directions: Unit vectors.
        sampling: Sampling of rays.
        first: A march with the same weights that costs less, for the first pass.
    """
    distances = even_distances(origins, directions, sampling)
    if sampling.num_importance:
        with torch.no_grad():
            fine = volume.importance_distances(distances, (first or march)(distances).weights, sampling.num_importance)
        distances = torch.cat([distances, fine], dim=-1).sort(dim=-1).values
    return march(distances)


def render_in_parts(
    render: Callable[..., RayOutput],
    *rays: Tensor,  # [B, N, ...] each
    rays_at_once: int,
) -> RayOutput:
    """What ``render`` sees, given so many rays of all heads at a time: origins, directions and what else is of rays."""
    at_once = max(1, rays_at_once // max(1, len(rays[0])))
    parts = zip(*(part.split(at_once, dim=1) for part in rays), strict=True)
    return RayOutput.cat([render(*part) for part in parts])
