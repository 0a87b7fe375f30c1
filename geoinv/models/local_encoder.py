"""E1, the local encoder: what E0's reconstruction lacks -> pixel-aligned features (E3DGE, Lan et al., CVPR 2023).

The paper stacks four hourglasses of 14.6 M parameters; one small one on the residual's sub-pixels does here.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..conventions import RADIUS
from .hourglass import Hourglass

_DEPTH_SPREAD = 0.2  # world units: heads reach so far before and behind the pivot


def depth_maps(depth: Tensor, radius: float = RADIUS) -> Tensor:
    """Camera depth [B, 1, S, S], 0 where nothing is -> [B, 2, S, S]: where a surface is, and its depth about 0,
    which ``radius`` from the camera is."""
    solid = depth > 0.0
    return torch.cat([solid.to(depth.dtype), torch.where(solid, (depth - radius) / _DEPTH_SPREAD, 0.0)], dim=1)


class LocalEncoder(nn.Module):
    """Residual [B, 3, E S, E S] and depth [B, 1, D, D] of a view -> features [B, C, F S, F S]; E is ``enlargement``, F
    ``finer``, and D a multiple of S."""

    def __init__(
        self,
        channels: int,
        widths: tuple[int, ...],
        enlargement: int = 2,
        *,
        radius: float = RADIUS,
        finer: int = 1,
    ) -> None:
        super().__init__()
        self.enlargement, self.radius, self.finer = enlargement, radius, finer
        self.body = Hourglass(3 * enlargement**2 + 2, channels * finer**2, widths)

    def forward(self, residual: Tensor, depth: Tensor) -> Tensor:
        parts = F.pixel_unshuffle(residual, self.enlargement)
        coarse = F.interpolate(depth, size=parts.shape[-2:], mode="nearest")  # a mean would join head and background
        maps = torch.cat([parts, depth_maps(coarse, self.radius)], dim=1)
        features: Tensor = F.pixel_shuffle(self.body(maps), self.finer)
        return features
