"""Pure torch specification of :mod:`geoinv.ops.render_rays`: any dtype, device and order of gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..sample_planes import ThirdPlane, sample_planes_reference
from . import volume


class DecoderWeights(NamedTuple):
    """The point decoder as it is used: features -> softplus(W f + b) -> raw density and the logits of colours."""

    hidden_weight: Tensor  # [H, C]
    hidden_bias: Tensor  # [H]
    output_weight: Tensor  # [1 + F, H], density first
    output_bias: Tensor  # [1 + F]


@dataclass(frozen=True)
class RaySampling:
    """Sampling of rays, and the place of the planes.

    Args:
        num_samples: Samples of the first pass, midpoints of equal slices.
        num_importance: Samples of the second pass, where the first saw something; 0 for none.
        limits: Whether a ray is cut between ``near`` and ``far``, or where it meets the box.
        near: Distance of the fixed near limit in world units.
        far: Distance of the fixed far limit in world units.
        box_side: Side of the cube that the planes span.
        third_plane: See :func:`geoinv.ops.sample_planes.sample_planes`.
    """

    num_samples: int
    num_importance: int
    limits: Literal["fixed", "box"]
    near: float
    far: float
    box_side: float
    third_plane: ThirdPlane


@dataclass(frozen=True)
class RayOutput:
    """Composited samples of rays.

    Args:
        features: [B, N, F] colour and features, premultiplied.
        alpha: [B, N].
        distance: [B, N] mean along the ray.
        weights: [B, N, S - 1] of the intervals between samples; [B, N, 0] from a renderer that does not keep them.
    """

    features: Tensor
    alpha: Tensor
    distance: Tensor
    weights: Tensor

    @classmethod
    def cat(cls, parts: Sequence[RayOutput]) -> RayOutput:
        """Rays of all parts, one part after another."""
        names = ("features", "alpha", "distance", "weights")
        return cls(*(torch.cat([getattr(part, name) for part in parts], dim=1) for name in names))


def decode_reference(sampled: Tensor, decoder: DecoderWeights, film: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Plane features [..., C] -> raw density [...], colours and features [..., F] in about (0, 1).

    ``film`` [..., 2 H] scales the hidden units that colours and features read, by 1 + its first half, and shifts them
    by its second; density reads them as they are.
    """
    hidden = F.softplus(F.linear(sampled, decoder.hidden_weight, decoder.hidden_bias))
    output = F.linear(hidden, decoder.output_weight, decoder.output_bias)
    raw, logits = output[..., 0], output[..., 1:]
    if film is not None:
        scale, shift = film.chunk(2, dim=-1)
        # density's row comes along unused: the same product rounds alike, and zeros change nothing
        logits = F.linear((1.0 + scale) * hidden + shift, decoder.output_weight, decoder.output_bias)[..., 1:]
    # a little wider than (0, 1), after mip-NeRF's clamp, as EG3D does
    return raw, torch.sigmoid(logits) * 1.002 - 0.001


def decode_along(
    planes: Tensor,
    origins: Tensor,
    directions: Tensor,
    distances: Tensor,
    decoder: DecoderWeights,
    film: Tensor | None = None,
    *,
    box_side: float,
    third_plane: ThirdPlane,
) -> tuple[Tensor, Tensor]:
    """Rays [B, N, 3] at distances [B, N, S], film [B, N, 2 H] -> raw density [B, N, S], features [B, N, S, F]."""
    points = origins[:, :, None] + directions[:, :, None] * distances[..., None]
    sampled = sample_planes_reference(planes, points.flatten(1, 2), box_side=box_side, third_plane=third_plane)
    film = None if film is None else film[:, :, None]
    return decode_reference(sampled.unflatten(1, distances.shape[1:]), decoder, film)


def composite_samples(raw: Tensor, features: Tensor, distances: Tensor) -> RayOutput:
    """Raw density [B, N, S], features [B, N, S, F], ascending distances [B, N, S] -> what the rays see."""
    weights = volume.sample_weights(raw, distances)
    color, alpha, distance = volume.composite(weights, features, distances)
    return RayOutput(color, alpha, distance, weights)


def march_rays_reference(
    planes: Tensor,
    origins: Tensor,
    directions: Tensor,
    distances: Tensor,
    decoder: DecoderWeights,
    *,
    box_side: float,
    third_plane: ThirdPlane,
    film: Tensor | None = None,
) -> RayOutput:
    """Composite given samples: rays [B, N, 3], ascending distances [B, N, S], film [B, N, 2 H]."""
    raw, features = decode_along(
        planes, origins, directions, distances, decoder, film, box_side=box_side, third_plane=third_plane
    )
    return composite_samples(raw, features, distances)


def even_distances(origins: Tensor, directions: Tensor, sampling: RaySampling) -> Tensor:
    """Distances [B, N, S] of the first pass."""
    if sampling.limits == "box":
        near, far = volume.box_limits(origins, directions, box_side=sampling.box_side)
    else:
        near, far = (torch.full_like(origins[..., :1], value) for value in (sampling.near, sampling.far))
    return volume.even_distances(near, far, sampling.num_samples)


def render_rays_reference(
    planes: Tensor,
    origins: Tensor,
    directions: Tensor,
    decoder: DecoderWeights,
    sampling: RaySampling,
    *,
    film: Tensor | None = None,
) -> RayOutput:
    """Two-pass volume rendering of rays [B, N, 3] (unit directions), film [B, N, 2 H]."""

    def decode(distances: Tensor) -> tuple[Tensor, Tensor]:
        box_side, third_plane = sampling.box_side, sampling.third_plane
        return decode_along(
            planes, origins, directions, distances, decoder, film, box_side=box_side, third_plane=third_plane
        )

    return composite_two_passes(decode, even_distances(origins, directions, sampling), sampling.num_importance)


def composite_two_passes(
    decode: Callable[[Tensor], tuple[Tensor, Tensor]], coarse: Tensor, num_importance: int
) -> RayOutput:
    """What rays see at distances [B, N, S] of the first pass and those of the second, each decoded once.

    ``decode`` returns raw density [B, N, S] and features [B, N, S, F] of these rays at distances [B, N, S].
    """
    raw, features = decode(coarse)
    if not num_importance:
        return composite_samples(raw, features, coarse)
    with torch.no_grad():
        fine = volume.importance_distances(coarse, volume.sample_weights(raw, coarse), num_importance)
    fine_raw, fine_features = decode(fine)
    distances, order = torch.cat([coarse, fine], dim=-1).sort(dim=-1)
    raw = torch.cat([raw, fine_raw], dim=-1).gather(-1, order)
    features = torch.cat([features, fine_features], dim=-2)
    features = features.gather(-2, order[..., None].expand_as(features))
    return composite_samples(raw, features, distances)
