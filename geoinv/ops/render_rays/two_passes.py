"""Two passes through rays by operations that know nothing of them, whatever these read samples from."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from . import volume
from .reference import RayOutput, RaySampling, even_distances


def march_two_passes(
    march: Callable[[Tensor, Tensor | None], RayOutput],
    origins: Tensor,  # [B, N, 3]
    directions: Tensor,  # [B, N, 3]
    sampling: RaySampling,
    film: Tensor | None,  # [B, N, 2 H]
) -> RayOutput:
    """What the march of all samples sees; another without gradients and film places those of the second pass.

    Args:
        march: The march of these rays, given distances [B, N, S] and film.
        origins: World positions where rays start.
        directions: Unit vectors.
        sampling: Sampling of rays.
        film: As the march takes it.
    """
    distances = even_distances(origins, directions, sampling)
    if sampling.num_importance:
        with torch.no_grad():
            fine = volume.importance_distances(distances, march(distances, None).weights, sampling.num_importance)
        distances = torch.cat([distances, fine], dim=-1).sort(dim=-1).values
    return march(distances, film)


def render_in_parts(
    render: Callable[[Tensor, Tensor, Tensor | None], RayOutput],
    origins: Tensor,  # [B, N, 3]
    directions: Tensor,  # [B, N, 3]
    film: Tensor | None,  # [B, N, 2 H]
    *,
    rays_at_once: int,
) -> RayOutput:
    """What ``render`` sees, given origins, directions and film of so many rays of all heads at a time."""
    at_once = max(1, rays_at_once // max(1, len(origins)))
    starts = origins.split(at_once, dim=1)
    films = [None] * len(starts) if film is None else film.split(at_once, dim=1)
    parts = zip(starts, directions.split(at_once, dim=1), films, strict=True)
    return RayOutput.cat([render(*part) for part in parts])
