"""Rays on a GPU: the launchers of ``render_rays.cu``, and tensors as they read them."""

from __future__ import annotations

from ctypes import CDLL
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from .._cuda import call, contiguous, load_for_rays
from ..sample_planes import ThirdPlane
from .reference import DecoderWeights, RaySampling

_SOURCE = Path(__file__).with_name("render_rays.cu")

Rays = tuple[Tensor, Tensor, Tensor]  # origins [B, N, 3], directions [B, N, 3], distances [B, N, S]


class Wants(NamedTuple):
    """Which gradients the march owes."""

    planes: bool
    decoder: bool
    rays: bool
    film: bool


def cuda_kernels(planes: Tensor, origins: Tensor, directions: Tensor, *others: Tensor, samples: int) -> CDLL | None:
    """The launchers that take these tensors, the last four of them the decoder's, and so many samples of a ray.

    Built once, here; None where the reference is to be used, with one message if it has to.
    """
    tensors = (planes, origins, directions, *others)
    channels, hidden, outputs = planes.shape[2], others[-4].shape[0], others[-2].shape[0]
    sizes = {"channels": channels, "hidden units": hidden, "features": outputs - 1, "samples a ray": samples}
    return load_for_rays(_SOURCE, tensors, sizes)


class _Head(NamedTuple):
    """The first arguments of every launcher, in their order."""

    planes: Tensor  # [B, 3, R, R, C]
    hidden_columns: Tensor  # [C, H]
    hidden_bias: Tensor  # [H]
    output_rows: Tensor  # [F + 1, H], density last
    output_bias: Tensor  # [F + 1], density last
    origins: Tensor  # [B, N, 3]
    directions: Tensor  # [B, N, 3]
    heads: int
    rays: int
    side: int
    channels: int
    hidden: int
    features: int
    box_side: float
    third_is_zx: int


def _head(
    planes: Tensor,
    origins: Tensor,
    directions: Tensor,
    decoder: DecoderWeights,
    box_side: float,
    third_plane: ThirdPlane,
) -> _Head:
    batch, _, channels, side, _ = planes.shape
    hidden, outputs = decoder.hidden_weight.shape[0], decoder.output_weight.shape[0]
    return _Head(
        planes.detach().permute(0, 1, 3, 4, 2).contiguous(),
        decoder.hidden_weight.detach().t().contiguous(),
        decoder.hidden_bias.detach().contiguous(),
        decoder.output_weight.detach().roll(-1, dims=0),
        decoder.output_bias.detach().roll(-1, dims=0),
        origins.detach().contiguous(),
        directions.detach().contiguous(),
        *(batch, origins.shape[1], side, channels, hidden, outputs - 1),
        float(box_side),
        int(third_plane == "zx"),
    )


def march_rays_forward(
    library: CDLL,
    planes: Tensor,
    rays: Rays,
    decoder: DecoderWeights,
    film: Tensor | None,
    box_side: float,
    third_plane: ThirdPlane,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Features [B, N, F], alpha [B, N], distance [B, N] and weights [B, N, S - 1]."""
    origins, directions, distances = rays
    head = _head(planes, origins, directions, decoder, box_side, third_plane)
    samples = distances.shape[2]
    features = origins.new_empty(head.heads, head.rays, head.features)
    alpha, distance = (origins.new_empty(head.heads, head.rays) for _ in range(2))
    weights = origins.new_empty(head.heads, head.rays, samples - 1)
    given = (contiguous(distances), samples, contiguous(film))
    call(library, "march_rays_forward", *head, *given, features, alpha, distance, weights)
    return features, alpha, distance, weights


def march_rays_backward(
    library: CDLL,
    cotangents: tuple[Tensor | None, ...],  # of the four outputs
    planes: Tensor,
    rays: Rays,
    decoder: DecoderWeights,
    film: Tensor | None,
    box_side: float,
    third_plane: ThirdPlane,
    *,
    wants: Wants,
) -> tuple[Tensor | None, ...]:
    """Gradients of planes, origins, directions, distances, the decoder's four and film; None for what is not wanted.

    Threads add to the same memory, so that sums differ by rounding from run to run.
    """
    origins, directions, distances = rays
    head = _head(planes, origins, directions, decoder, box_side, third_plane)
    v_outputs = [contiguous(v) for v in cotangents]
    v_planes = torch.zeros_like(head.planes) if wants.planes else None
    v_decoder = [torch.zeros_like(tensor) if wants.decoder else None for tensor in head[1:5]]
    v_rays = [t.new_zeros(t.shape) if wants.rays else None for t in rays]
    v_film = film.new_zeros(film.shape) if wants.film and film is not None else None
    given = (contiguous(distances), distances.shape[2], contiguous(film))
    call(library, "march_rays_backward", *head, *given, *v_outputs, v_planes, *v_decoder, *v_rays, v_film)
    v_hidden_columns, v_hidden_bias, v_output_rows, v_output_bias = v_decoder
    return (
        None if v_planes is None else v_planes.permute(0, 1, 4, 2, 3),
        *v_rays,
        None if v_hidden_columns is None else v_hidden_columns.t(),
        v_hidden_bias,
        None if v_output_rows is None else v_output_rows.roll(1, dims=0),
        None if v_output_bias is None else v_output_bias.roll(1, dims=0),
        v_film,
    )


def render_rays_forward(
    library: CDLL,
    planes: Tensor,
    origins: Tensor,
    directions: Tensor,
    decoder: DecoderWeights,
    sampling: RaySampling,
    film: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Features [B, N, F], alpha [B, N] and distance [B, N]; nothing is skipped."""
    head = _head(planes, origins, directions, decoder, sampling.box_side, sampling.third_plane)
    features = origins.new_empty(head.heads, head.rays, head.features)
    alpha, distance = (origins.new_empty(head.heads, head.rays) for _ in range(2))
    counts = (sampling.num_samples, sampling.num_importance, int(sampling.limits == "box"))
    limits = (float(sampling.near), float(sampling.far))
    call(library, "render_rays_forward", *head, *counts, *limits, contiguous(film), features, alpha, distance)
    return features, alpha, distance
