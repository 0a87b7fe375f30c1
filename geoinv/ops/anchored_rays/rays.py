"""Rays through anchored heads point by point: given samples, and two passes that place them; any order of gradient."""

from __future__ import annotations

from torch import Tensor

from ..render_rays import DecoderWeights, RayOutput, RaySampling
from ..render_rays.reference import composite_samples, composite_two_passes, even_distances
from .points import decode_points
from .reference import NOTHING, AnchoredHeads, CanonicalSpace, is_empty


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
) -> RayOutput:
    """Two-pass volume rendering of rays; arguments as in :func:`.render_anchored`."""

    def decode(distances: Tensor) -> tuple[Tensor, Tensor]:
        return _decode_along(heads, origins, directions, distances, decoder, space)

    return composite_two_passes(decode, even_distances(origins, directions, sampling), sampling.num_importance)


def _decode_along(
    heads: AnchoredHeads,
    origins: Tensor,
    directions: Tensor,
    distances: Tensor,
    decoder: DecoderWeights,
    space: CanonicalSpace,
    film: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Raw density [B, N, S] and features [B, N, S, 7] of rays at distances [B, N, S]."""
    points = origins[:, :, None] + directions[:, :, None] * distances[..., None]
    of_points = None if film is None else film[:, :, None].expand(-1, -1, distances.shape[2], -1).flatten(1, 2)
    points = points.flatten(1, 2)
    raw, features = decode_points(heads, points, decoder, space, of_points)
    if heads.empty is not None:
        raw = raw.masked_fill(is_empty(heads.empty, points), NOTHING)
    return raw.unflatten(1, distances.shape[1:]), features.unflatten(1, distances.shape[1:])
