"""Anchored rays on a GPU: the launchers of ``anchored_rays.cu``, and tensors as they read them."""

from __future__ import annotations

from ctypes import CDLL
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from .._cuda import call, contiguous, load_for_rays
from ..render_rays import RaySampling

_SOURCE = Path(__file__).with_name("anchored_rays.cu")

HeadTensors = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]
"""Planes [B, 4, C, R, R], whole and face volume, hidden weight, hidden bias [B, H], output weight and bias."""


def cuda_kernels(head: HeadTensors, settings: list[float], *others: Tensor | None, samples: int) -> CDLL | None:
    """The launchers that take these tensors and so many samples of a ray.

    Built once, here; None where the points' way is to be taken, with one message if it has to.
    """
    tensors = (*head, *(tensor for tensor in others if tensor is not None))
    hidden, told = head[3].shape
    sizes = {"inputs": told, "hidden units": hidden, "samples a ray": samples, "settings": len(settings)}
    return load_for_rays(_SOURCE, tensors, sizes)


class _Head(NamedTuple):
    """The first arguments of every launcher, in their order."""

    planes: Tensor  # [B, R, R, 4, C]
    whole: Tensor
    face: Tensor
    hidden_columns: Tensor  # [C + scales + 1, H]
    hidden_bias: Tensor  # [B, H]
    output_rows: Tensor  # [8, H], density last
    output_bias: Tensor  # [8], density last
    settings: Tensor  # on the CPU
    setting_count: int
    origins: Tensor  # [B, N, 3]
    directions: Tensor  # [B, N, 3]
    heads: int
    rays: int
    side: int
    channels: int
    cells: int
    face_cells: int
    hidden: int


def _head(head: HeadTensors, settings: list[float], origins: Tensor, directions: Tensor) -> _Head:
    planes, whole, face, hidden_weight, hidden_bias, output_weight, output_bias = (each.detach() for each in head)
    return _Head(
        planes.permute(0, 3, 4, 1, 2).contiguous(),
        whole.contiguous(),
        face.contiguous(),
        hidden_weight.t().contiguous(),
        hidden_bias.contiguous(),
        output_weight.roll(-1, dims=0),
        output_bias.roll(-1, dims=0),
        torch.tensor(settings),
        len(settings),
        origins.detach().contiguous(),
        directions.detach().contiguous(),
        *(len(planes), origins.shape[1], planes.shape[-1], planes.shape[2]),
        *(whole.shape[1], face.shape[1], len(hidden_weight)),
    )


def march_anchored_forward(
    library: CDLL,
    head: HeadTensors,
    settings: list[float],
    rays: tuple[Tensor, Tensor, Tensor],
    film: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Features [B, N, 7], alpha [B, N], distance [B, N] and weights [B, N, S - 1]."""
    origins, directions, distances = rays
    given = _head(head, settings, origins, directions)
    samples = distances.shape[2]
    features, weights = (origins.new_empty(*origins.shape[:2], size) for size in (7, samples - 1))
    alpha, distance = (origins.new_empty(origins.shape[:2]) for _ in range(2))
    others = (contiguous(distances), samples, contiguous(film))
    call(library, "march_anchored_forward", *given, *others, features, alpha, distance, weights)
    return features, alpha, distance, weights


def march_anchored_backward(
    library: CDLL,
    cotangents: tuple[Tensor | None, ...],  # of the four outputs
    head: HeadTensors,
    settings: list[float],
    rays: tuple[Tensor, Tensor, Tensor],
    film: Tensor | None,
    *,
    wants_planes: bool,
) -> tuple[Tensor | None, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of planes (None where not wanted), hidden weight, hidden bias, output weight and bias.

    Threads add to the same memory, so that sums differ by rounding from run to run.
    """
    origins, directions, distances = rays
    given = _head(head, settings, origins, directions)
    v_planes = torch.zeros_like(given.planes) if wants_planes else None
    v_columns, v_bias, v_rows, v_output_bias = (torch.zeros_like(tensor) for tensor in given[3:7])
    others = (contiguous(distances), distances.shape[2], contiguous(film))
    v_outputs = [contiguous(v) for v in cotangents]
    gradients = (v_planes, v_columns, v_bias, v_rows, v_output_bias)
    call(library, "march_anchored_backward", *given, *others, *v_outputs, *gradients)
    v_output = (v_rows.roll(1, dims=0), v_output_bias.roll(1, dims=0))
    return None if v_planes is None else v_planes.permute(0, 3, 4, 1, 2), v_columns.t(), v_bias, *v_output


def render_anchored_forward(
    library: CDLL,
    head: HeadTensors,
    settings: list[float],
    origins: Tensor,
    directions: Tensor,
    sampling: RaySampling,
    bounds: Tensor | None,  # [B, G, G, G]
) -> tuple[Tensor, Tensor, Tensor]:
    """Features [B, N, 7], alpha [B, N] and distance [B, N]; nothing is skipped, no raw density is above its bound."""
    given = _head(head, settings, origins, directions)
    features = origins.new_empty(*origins.shape[:2], 7)
    alpha, distance = (origins.new_empty(origins.shape[:2]) for _ in range(2))
    counts = (sampling.num_samples, sampling.num_importance, int(sampling.limits == "box"))
    limits = (float(sampling.near), float(sampling.far))
    within = (contiguous(bounds), 0 if bounds is None else bounds.shape[1])
    call(library, "render_anchored_forward", *given, *counts, *limits, *within, features, alpha, distance)
    return features, alpha, distance
