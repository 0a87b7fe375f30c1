"""Landmarks of a face in a picture, to a fraction of a pixel: the camera is predicted from them.

An hourglass with a heat map for each landmark, whose centre of mass is the landmark (soft-argmax, as in integral
regression: Sun et al., ECCV 2018). Centres alone teach slowly while heat is everywhere, so maps are taught, too.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .hourglass import Hourglass

LANDMARKS = 73
"""Number of landmarks, in the order of the data sets: 68 in iBUG's, then the five that alignment cuts crops by."""


class LandmarkNetwork(nn.Module):
    """Picture [B, 3, S, S] in [-1, 1] -> heat, logarithms [B, 73, S / 4, S / 4] up to a constant of each map.

    Args:
        widths: Channels of the hourglass, from a quarter of the side down.
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0] // 2, 3, stride=2, padding=1, bias=False),
            nn.GroupNorm(8, widths[0] // 2),
            nn.SiLU(),
            nn.Conv2d(widths[0] // 2, widths[0], 3, stride=2, padding=1),
        )
        self.hourglass = Hourglass(widths[0], LANDMARKS, widths)

    def forward(self, picture: Tensor) -> Tensor:
        heat: Tensor = self.hourglass(self.stem(picture.contiguous(memory_format=torch.channels_last)))
        return heat.float()


def centres(heat: Tensor) -> Tensor:
    """Logarithms of heat [B, N, s, s] -> centres of mass [B, N, 2], normalised (x, y) in [0, 1]."""
    side = heat.shape[-1]
    weights = F.softmax(heat.flatten(2), dim=-1).reshape(*heat.shape[:2], side, side)
    ticks = (torch.arange(side, device=heat.device) + 0.5) / side
    return torch.stack([(weights.sum(dim=2) * ticks).sum(dim=-1), (weights.sum(dim=3) * ticks).sum(dim=-1)], dim=-1)


def heat_covariance(heat: Tensor) -> Tensor:
    """Logarithms of heat [B, N, s, s] -> covariance [B, N, 2, 2] of its (x, y) about :func:`centres`: how surely, and
    along which direction, the network knows a landmark's place."""
    side = heat.shape[-1]
    weights = F.softmax(heat.flatten(2), dim=-1)  # [B, N, s * s]
    ticks = (torch.arange(side, device=heat.device) + 0.5) / side
    cells = torch.stack(torch.meshgrid(ticks, ticks, indexing="xy"), dim=-1).flatten(0, 1)  # [s * s, 2] (x, y)
    away = cells - centres(heat)[:, :, None]  # [B, N, s * s, 2]
    return torch.einsum("bnc,bnci,bncj->bnij", weights, away, away)


def heat_loss(heat: Tensor, true: Tensor) -> Tensor:
    """Cross-entropy of heat [B, N, s, s] and landmarks [B, N, 2], normalised, each spread over the four cells about it.

    Heat that fits has its centre exactly at the landmark then. Landmarks outside the picture do not count.
    """
    side = heat.shape[-1]
    place = true * side - 0.5  # in cells
    low = place.floor()
    inside = ((true > 0.0) & (true < 1.0)).all(dim=-1)
    log_weights = F.log_softmax(heat.flatten(2), dim=-1)
    total = torch.zeros_like(true[..., 0])
    for right in (0, 1):
        for down in (0, 1):
            cell = low + torch.tensor([right, down], device=true.device)
            weight = (1.0 - (place - cell).abs()).prod(dim=-1)
            column, row = cell.clamp(0, side - 1).long().unbind(dim=-1)
            total = total - weight * log_weights.gather(2, (row * side + column)[..., None])[..., 0]
    return (total * inside).sum() / inside.sum().clamp(min=1)
