"""What losses and metrics ask for the colours of heads along rays, whatever heads are made of."""

from __future__ import annotations

from typing import Protocol, TypeVar

from torch import Tensor

from ...models.config import GeneratorConfig
from ...ops.render_rays import RayOutput

Heads = TypeVar("Heads", contravariant=True)


class Rays(Protocol[Heads]):
    """Rays [B, N, 3] through B heads: of a tri-plane generator, whose heads are planes, or of a lit one."""

    @property
    def config(self) -> GeneratorConfig:
        """The generator's configuration."""

    def march(self, planes: Heads, origins: Tensor, directions: Tensor, distances: Tensor) -> RayOutput:
        """Colours at given samples, ascending distances [B, N, S]."""

    def render_rays(self, planes: Heads, origins: Tensor, directions: Tensor) -> RayOutput:
        """Colours by two passes that look for the surface."""
