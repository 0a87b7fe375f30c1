"""Volume rendering along rays: samples, compositing, and importance sampling (NeRF; EG3D's midpoint marcher).

Sample positions are fixed (midpoints of equal slices), so that the same input gives the same picture.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def density_of(raw: Tensor) -> Tensor:
    """Raw decoder output -> density per world unit: softplus(raw - 1), EG3D's bias."""
    return F.softplus(raw - 1.0)


def box_limits(origins: Tensor, directions: Tensor, *, box_side: float) -> tuple[Tensor, Tensor]:
    """Distances [..., 1] at which rays [..., 3] enter and leave the cube about the origin; equal where they miss it."""
    half = 0.5 * box_side
    safe = torch.where(directions.abs() < 1e-9, torch.full_like(directions, 1e-9), directions)
    first, second = (-half - origins) / safe, (half - origins) / safe
    near = torch.minimum(first, second).amax(dim=-1, keepdim=True).clamp_min(0.0)
    far = torch.maximum(first, second).amin(dim=-1, keepdim=True)
    missed = far <= near
    middle = 0.5 * (near + far).clamp_min(0.0)
    return torch.where(missed, middle, near), torch.where(missed, middle, far)


def even_distances(near: Tensor, far: Tensor, count: int) -> Tensor:
    """Midpoints of ``count`` equal slices of [near, far] [..., 1] -> [..., count]."""
    slices = (torch.arange(count, dtype=near.dtype, device=near.device) + 0.5) / count
    return near + (far - near) * slices


def sample_weights(raw_density: Tensor, distances: Tensor) -> Tensor:
    """Compositing weights of the intervals between neighbouring samples.

    alpha_i = 1 - exp(-softplus(mean raw - 1) * (t_{i+1} - t_i)), w_i = alpha_i * prod_{j < i} (1 - alpha_j).

    Args:
        raw_density: [..., S] decoder output at the samples.
        distances: [..., S] ascending.

    Returns:
        [..., S - 1].
    """
    middle = 0.5 * (raw_density[..., 1:] + raw_density[..., :-1])
    alpha = 1.0 - torch.exp(-density_of(middle) * (distances[..., 1:] - distances[..., :-1]))
    transmittance = torch.cumprod(1.0 - alpha + 1e-10, dim=-1)
    return alpha * torch.cat([torch.ones_like(transmittance[..., :1]), transmittance[..., :-1]], dim=-1)


def composite(weights: Tensor, colors: Tensor, distances: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Weights [..., S - 1], colours [..., S, F], distances [..., S] -> colour [..., F], alpha [...], distance [...].

    The colour is premultiplied. The distance is the mean of the interval midpoints by weight; where nothing is hit it
    is the last sample.
    """
    # sum_i w_i (c_i + c_{i+1}) / 2 regrouped by sample: no [..., S, F] average is made
    by_sample = torch.zeros_like(distances)
    by_sample[..., :-1] += 0.5 * weights
    by_sample[..., 1:] += 0.5 * weights
    color = (by_sample[..., None, :] @ colors).squeeze(-2)
    alpha = weights.sum(dim=-1)
    middle = 0.5 * (distances[..., 1:] + distances[..., :-1])
    distance = (weights * middle).sum(dim=-1) / alpha.clamp_min(1e-6)
    distance = torch.where(alpha > 1e-4, distance, distances[..., -1])
    return color, alpha, distance.clamp(distances.amin(), distances.amax()) if distance.numel() else distance


def importance_distances(distances: Tensor, weights: Tensor, count: int) -> Tensor:
    """Place samples where the first pass saw something: inverse transform of its smoothed weights at even quantiles.

    Args:
        distances: [..., S] ascending samples of the first pass.
        weights: [..., S - 1] their weights.
        count: Samples to place.

    Returns:
        [..., count] ascending.

    Source: EG3D (Chan et al., CVPR 2022), which smooths the weights as mip-NeRF does; even quantiles are ours.
    """
    padded = F.pad(weights, (1, 1))
    larger = torch.maximum(padded[..., :-1], padded[..., 1:])  # [..., S]
    smooth = 0.5 * (larger[..., 1:] + larger[..., :-1]) + 0.01
    inner = smooth[..., 1:-1] + 1e-5  # [..., S - 3] between the midpoints
    edges = 0.5 * (distances[..., 1:] + distances[..., :-1])  # [..., S - 1]
    edges = edges[..., : inner.shape[-1] + 1]
    cdf = torch.cumsum(inner / inner.sum(dim=-1, keepdim=True), dim=-1)
    cdf = torch.cat([torch.zeros_like(cdf[..., :1]), cdf], dim=-1)  # [..., S - 2]
    quantiles = ((torch.arange(count, dtype=distances.dtype, device=distances.device) + 0.5) / count).expand(
        *distances.shape[:-1], count
    )
    upper = torch.searchsorted(cdf, quantiles.contiguous(), right=True).clamp(1, cdf.shape[-1] - 1)
    low_cdf, high_cdf = cdf.gather(-1, upper - 1), cdf.gather(-1, upper)
    low, high = edges.gather(-1, upper - 1), edges.gather(-1, upper)
    fraction = (quantiles - low_cdf) / (high_cdf - low_cdf).clamp_min(1e-5)
    return low + fraction.clamp(0.0, 1.0) * (high - low)
