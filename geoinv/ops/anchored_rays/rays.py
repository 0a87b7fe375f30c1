"""Rays through anchored heads point by point: given samples, and two passes that place them; any order of gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from ..render_rays import DecoderWeights, RayOutput, RaySampling, volume
from ..render_rays.reference import composite_samples, even_distances
from .points import decode_points
from .reference import AnchoredHeads, CanonicalSpace


def march_by_points(
    heads: AnchoredHeads,
    origins: Tensor,  # [B, N, 3]
    directions: Tensor,  # [B, N, 3]
    distances: Tensor,  # [B, N, S]
    decoder: DecoderWeights,
    space: CanonicalSpace,
    *,
    film: Tensor | None = None,  # [B, N, 2 H]
) -> RayOutput:
    """Rays at given samples; arguments as in :func:`.march_anchored`."""
    return composite_samples(*_decode_along(heads, origins, directions, distances, decoder, space, film), distances)


def render_by_points(
    heads: AnchoredHeads,
    origins: Tensor,  # [B, N, 3]
    directions: Tensor,  # [B, N, 3]
    decoder: DecoderWeights,
    sampling: RaySampling,
    space: CanonicalSpace,
    *,
    film: Tensor | None = None,  # [B, N, 2 H]
) -> RayOutput:
    """Two-pass volume rendering of rays; arguments as in :func:`.render_anchored`."""
    coarse = even_distances(origins, directions, sampling)
    raw, features = _decode_along(heads, origins, directions, coarse, decoder, space, film)
    with torch.no_grad():
        fine = volume.importance_distances(coarse, volume.sample_weights(raw, coarse), sampling.num_importance)
    fine_raw, fine_features = _decode_along(heads, origins, directions, fine, decoder, space, film)
    distances, order = torch.cat([coarse, fine], dim=-1).sort(dim=-1)
    raw = torch.cat([raw, fine_raw], dim=-1).gather(-1, order)
    features = torch.cat([features, fine_features], dim=-2)
    features = features.gather(-2, order[..., None].expand_as(features))
    return composite_samples(raw, features, distances)


def _decode_along(
    heads: AnchoredHeads,
    origins: Tensor,
    directions: Tensor,
    distances: Tensor,
    decoder: DecoderWeights,
    space: CanonicalSpace,
    film: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Raw density [B, N, S] and features [B, N, S, 7] of rays at distances [B, N, S]."""
    points = origins[:, :, None] + directions[:, :, None] * distances[..., None]
    of_points = None if film is None else film[:, :, None].expand(-1, -1, distances.shape[2], -1).flatten(1, 2)
    raw, features = decode_points(heads, points.flatten(1, 2), decoder, space, of_points)
    return raw.unflatten(1, distances.shape[1:]), features.unflatten(1, distances.shape[1:])
