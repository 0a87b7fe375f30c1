"""Losses along single rays, and where samples are placed on them: around the true surface, or the one there already.

A search for the surface is not needed where it is known, which spares the empty space that a GAN has to look through.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...ops.render_rays import RayOutput, volume
from ..data.head_shards import RayBatch
from ..data.ray_source import Heads, Rays


@dataclass(frozen=True)
class SampleCounts:
    """Samples on each ray of a training step.

    Args:
        even: Number of samples spread evenly through the box, with jitter.
        surface: Number of samples close to the surface.
        spread: Standard deviation of those from the surface, in world units (1 is 370 mm).
    """

    even: int = 10
    surface: int = 10
    spread: float = 0.02


def guided_distances(
    origins: Tensor,  # [B, N, 3]
    directions: Tensor,  # [B, N, 3]
    surface: Tensor,  # [B, N] distance, 0 where nothing is hit
    box_side: float,
    samples: SampleCounts,
    random: torch.Generator,
) -> Tensor:
    """Place samples on rays: some evenly with jitter through the box, some close to a surface that is known.

    Args:
        origins: Starts of the rays, world.
        directions: Unit directions of the rays.
        surface: Distance along each ray to the surface.
        box_side: Side of the box about the origin, in world units.
        samples: Number of samples of both kinds.
        random: Generator on the CPU, so that a seed gives the same samples on any device.

    Returns:
        Ascending distances [B, N, even + surface].
    """
    near, far = volume.box_limits(origins, directions, box_side=box_side)
    shape, device = surface.shape, surface.device
    jitter = torch.rand(*shape, samples.even, generator=random).to(device)
    slices = (torch.arange(samples.even, device=device) + jitter) / samples.even
    even = near + (far - near) * slices
    spread = torch.randn(*shape, samples.surface, generator=random).to(device) * samples.spread
    hit = surface > 0
    # rays that hit nothing have no surface: there the second half is even, too
    anywhere = torch.rand(*shape, samples.surface, generator=random).to(device)
    fallback = near + (far - near) * anywhere
    about = torch.where(hit[..., None], surface[..., None] + spread, fallback)
    return torch.cat([even, about], dim=-1).sort(dim=-1).values


@torch.no_grad()
def own_surface(generator: Rays[Heads], planes: Heads, origins: Tensor, directions: Tensor) -> Tensor:
    """Distances [B, N] at which rays [B, N, 3] hit the generator's own heads, 0 where they miss them."""
    found = generator.render_rays(planes, origins, directions)
    return torch.where(found.alpha > 0.5, found.distance, 0.0)


def twin_loss(output: RayOutput, batch: RayBatch, pairs: int) -> Tensor:
    """Squared error of the difference between the faces of twins that are seen through the same rays.

    What a person's twins have in common cancels out, so the few rays that an expression changes are all that is left.

    Args:
        output: Composited features and alpha of the rays.
        batch: Truth of the same rays.
        pairs: Number of pairs: heads 0 and 1, 2 and 3, ... of the batch.
    """
    first, second = slice(0, 2 * pairs, 2), slice(1, 2 * pairs, 2)
    shown = output.features[first, :, :3] - output.features[second, :, :3]
    return (shown - (batch.color[first] - batch.color[second])).square().mean()


def ray_losses(output: RayOutput, batch: RayBatch, distances: Tensor) -> dict[str, Tensor]:
    """Compare rays with the truth.

    Args:
        output: Composited features and alpha of the rays.
        batch: Truth of the same rays.
        distances: Samples [B, N, S] that ``output`` was composited from.

    Returns:
        ``color`` and ``alpha``: mean squared errors; ``surface``: how far from the true surface, in world units up to
        0.2, the compositing weights lie.
    """
    hit = (batch.distance > 0) & (batch.alpha > 0.5)
    middle = 0.5 * (distances[..., 1:] + distances[..., :-1])
    away = (middle - batch.distance[..., None]).abs().clamp_max(0.2)
    return {
        "color": (output.features[..., :3] - batch.color).square().mean(),
        "alpha": (output.alpha - batch.alpha).square().mean(),
        "surface": ((output.weights * away).sum(dim=-1) * hit).mean(),
    }
