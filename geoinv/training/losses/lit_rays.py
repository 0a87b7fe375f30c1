"""Rays of anchored heads: compared with the truth apart from light and under it, and lit for losses of colours."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...models.anchored_generator import AnchoredGenerator, LitHeads, lit_rays
from ...models.config import GeneratorConfig
from ...ops.render_rays import RayOutput
from ...ops.view_rays import light_rays
from ..data.head_shards import RayBatch


class LitGenerator:
    """An anchored generator as losses ask one of tri-planes: rays of its heads have colours under the heads' light."""

    def __init__(self, generator: AnchoredGenerator) -> None:
        self._generator = generator

    @property
    def config(self) -> GeneratorConfig:
        """The generator's configuration."""
        return self._generator.config

    def march(self, planes: LitHeads, origins: Tensor, directions: Tensor, distances: Tensor) -> RayOutput:
        """Composite given samples: rays [B, N, 3], ascending distances [B, N, S]."""
        output = self._generator.march(planes.rays, origins, directions, distances)
        return lit_rays(output, directions, planes.light)

    def render_rays(self, planes: LitHeads, origins: Tensor, directions: Tensor) -> RayOutput:
        """Two-pass volume rendering of rays [B, N, 3]."""
        return lit_rays(self._generator.render_rays(planes.rays, origins, directions), directions, planes.light)


def lit_ray_losses(albedo_gloss_normal: Tensor, batch: RayBatch) -> dict[str, Tensor]:
    """Compare what rays composited with the truth.

    Args:
        albedo_gloss_normal: [B, N, 7] as rays composite it.
        batch: Truth of the same rays, with albedo and light.

    Returns:
        ``color`` under the true light and ``albedo``: mean squared errors, where a picture that clips asks for no less
        than white; ``normal``: squared distances of unit normals where a head is seen.
    """
    assert batch.albedo is not None and batch.light is not None and batch.normals is not None
    color = light_rays(albedo_gloss_normal, batch.directions, batch.light)
    is_clipped = (batch.color >= 0.998 * batch.alpha[..., None]) & (batch.alpha[..., None] > 0.5)
    color = torch.where(is_clipped, torch.minimum(color, batch.color), color)
    on_head = (batch.alpha > 0.5) & (batch.distance > 0.0)
    normal = F.normalize(albedo_gloss_normal[..., 4:], dim=-1)
    away = (normal - F.normalize(batch.normals, dim=-1)).square().sum(dim=-1)
    return {
        "color": (color - batch.color).square().mean(),
        "albedo": (albedo_gloss_normal[..., :3] - batch.albedo).square().mean(),
        "normal": (away * on_head).mean(),
    }
