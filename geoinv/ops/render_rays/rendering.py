"""Two-pass rendering of rays, native without its per-sample tensors, and what it skips."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from .._gradients import needs_gradient
from . import cuda
from .checks import BEST_INSTRUCTIONS, check_film, check_rays, is_native
from .limits import SkipLimits
from .march import march_rays
from .reference import DecoderWeights, RayOutput, RaySampling, render_rays_reference
from .two_passes import march_two_passes, render_in_parts

SKIP_TOLERANCE = 3e-4
"""Largest error of alpha and each feature for given samples: a third each for space whose density is bounded close to
zero, for what lies behind what a ray hit, and for colours of samples that count little. A film changes none of this:
it is applied before the sigmoid, which keeps colours within (-0.001, 1.001)."""

_RAYS_AT_ONCE = 4096  # bounds the reference's samples: 4096 rays x 56 samples x 32 channels x 4 bytes = 29 MB


def render_rays(
    planes: Tensor,  # [B, 3, C, R, R]
    origins: Tensor,  # [B, N, 3]
    directions: Tensor,  # [B, N, 3]
    decoder: DecoderWeights,
    sampling: RaySampling,
    *,
    exact: bool = False,
    film: Tensor | None = None,  # [B, N, 2 H]
) -> RayOutput:
    """Two-pass volume rendering: even samples, then more of them where the first saw something.

    Args:
        planes: Features; see :func:`geoinv.ops.sample_planes.sample_planes`.
        origins: World positions where rays start.
        directions: Unit vectors.
        decoder: Weights with gains applied.
        sampling: Sampling of rays.
        exact: Whether to skip nothing; otherwise alpha and features lack at most ``SKIP_TOLERANCE`` where no gradient
            is asked for. (The samples of the second pass move by what the weights of the first lack.)
        film: Modulation of colours, as in :func:`march_rays`.

    Returns:
        What rays see; without gradient, native code keeps no weights.

    Raises:
        ShapeError: A tensor is not of the stated shape.

    Differentiability: as :func:`march_rays`; distances of the second pass are constants.
    """
    check_rays(planes, origins, directions)
    check_film(film, origins, decoder.hidden_weight.shape[0])
    tensors = (planes, origins, directions, *(() if film is None else (film,)), *decoder)
    kernels = cuda.cuda_kernels(*tensors, samples=sampling.num_samples + sampling.num_importance)
    if kernels is None and not is_native(*tensors):

        def render(origins: Tensor, directions: Tensor, film: Tensor | None = None) -> RayOutput:
            return render_rays_reference(planes, origins, directions, decoder, sampling, film=film)

        rays = (origins, directions, *(() if film is None else (film,)))
        return render_in_parts(render, *rays, rays_at_once=_RAYS_AT_ONCE)
    if needs_gradient(*tensors):

        def march(distances: Tensor, film: Tensor | None = film) -> RayOutput:
            rays = (origins, directions, distances)
            box_side, third_plane = sampling.box_side, sampling.third_plane
            return march_rays(planes, *rays, decoder, box_side=box_side, third_plane=third_plane, film=film)

        return march_two_passes(march, origins, directions, sampling, first=partial(march, film=None))
    if kernels is not None:
        features, alpha, distance = cuda.render_rays_forward(
            kernels, planes, origins, directions, decoder, sampling, film
        )
        return RayOutput(features, alpha, distance, weights=origins.new_empty(*alpha.shape, 0))
    limits = SkipLimits.of(0.0 if exact else SKIP_TOLERANCE, sampling)
    hidden_planes, bounds = _prepared(planes, decoder, sampling, limits)
    features, alpha, distance = torch.ops.geoinv.render_rays_forward(
        hidden_planes,
        bounds,
        origins.contiguous(),
        directions.contiguous(),
        film,
        *decoder,
        sampling.box_side,
        sampling.third_plane == "zx",
        sampling.num_samples,
        sampling.num_importance,
        sampling.limits == "box",
        sampling.near,
        sampling.far,
        limits.empty_raw,
        limits.min_transmittance,
        limits.least_share,
        BEST_INSTRUCTIONS,
    )
    return RayOutput(features, alpha, distance, weights=origins.new_empty(*alpha.shape, 0))


@dataclass(frozen=True)
class _Prepared:
    """Hidden planes [B, 3, R, R, H] and bounds [B, G, G, G] of planes, and what else they depend on."""

    version: int
    decoder: DecoderWeights
    settings: tuple[object, ...]
    tensors: tuple[Tensor, Tensor]


_PREPARED: MutableMapping[Tensor, _Prepared] = WeakIdKeyDictionary()  # by planes: views and chunks of one head use it


def _prepared(
    planes: Tensor, decoder: DecoderWeights, sampling: RaySampling, limits: SkipLimits
) -> tuple[Tensor, Tensor]:
    settings = (sampling.third_plane, limits.empty_raw, BEST_INSTRUCTIONS)
    version = -1 if planes.is_inference() else planes._version
    known = _PREPARED.get(planes)
    if known is not None and version >= 0 and (known.version, known.settings) == (version, settings):
        is_same_decoder = all(torch.equal(a, b) for a, b in zip(known.decoder, decoder, strict=True))
        if is_same_decoder:
            return known.tensors
    tensors: tuple[Tensor, Tensor] = torch.ops.geoinv.render_rays_prepare(
        planes,
        *decoder,
        sampling.third_plane == "zx",
        limits.min_transmittance > 0.0,
        limits.empty_raw,
        BEST_INSTRUCTIONS,
    )
    detached = DecoderWeights(*(weight.detach().clone() for weight in decoder))
    _PREPARED[planes] = _Prepared(version, detached, settings, tensors)
    return tensors
