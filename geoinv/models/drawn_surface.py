"""What a mesh shows in place of a volume: at which rays, how deep, and how it looks there."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class DrawnSurface:
    """Surfaces in V views of S x S rays; all premultiplied by ``share``.

    Args:
        share: [V, 1, S, S] in [0, 1], how far they are in place of the volume.
        depth: [V, 1, S, S] along the optical axis in world units.
        looks: [V, 7, S, S] albedo, gloss and normal.
    """

    share: Tensor
    depth: Tensor
    looks: Tensor

    @classmethod
    def cat(cls, surfaces: list[DrawnSurface]) -> DrawnSurface:
        """Surfaces of several views as one batch."""
        return cls(*(torch.cat(parts) for parts in zip(*((s.share, s.depth, s.looks) for s in surfaces), strict=True)))

    @classmethod
    def nothing(cls, side: int) -> DrawnSurface:
        """A view without any."""
        return cls(torch.zeros(1, 1, side, side), torch.zeros(1, 1, side, side), torch.zeros(1, 7, side, side))

    def to(self, device: torch.device) -> DrawnSurface:
        """The surfaces on a device."""
        return DrawnSurface(self.share.to(device), self.depth.to(device), self.looks.to(device))
