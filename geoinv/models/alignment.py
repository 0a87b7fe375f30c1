"""Hybrid alignment of E3DGE: the residual brought to another view in 2D, and its features joined with the 3D ones."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..camera import pixel_centres
from .hourglass import Hourglass

_REACH = 0.25  # of the picture's side: how far a pixel of the residual may be fetched from


class ResidualAligner(nn.Module):
    """ADA: the residual of the photo's view as it would be seen in the query view.

    Like HFGI's (Wang et al., CVPR 2022), a U-Net on the residual and the query's picture; but instead of painting the
    residual anew it fetches it, pixel by pixel from a place of its choice, and corrects that: a warp is what the change
    of view or expression is.
    """

    def __init__(self, widths: tuple[int, ...], enlargement: int = 2) -> None:
        super().__init__()
        self.enlargement = enlargement
        parts = 3 * enlargement**2
        self.body = Hourglass(2 * parts, 2 + 1 + parts, widths)
        nn.init.zeros_(self.body.head.weight)
        assert self.body.head.bias is not None
        nn.init.zeros_(self.body.head.bias)

    def forward(self, residual: Tensor, query: Tensor) -> Tensor:
        """Residual of the photo [B, 3, H, H], query picture [B, 3, H, H] in [0, 1] -> residual [B, 3, H, H]."""
        times, side = self.enlargement, residual.shape[-1]
        parts = F.pixel_unshuffle(residual, times)
        outputs = self.body(torch.cat([parts, F.pixel_unshuffle(query, times) - 0.5], dim=1)).to(residual.dtype)
        offset, keep, correction = outputs[:, :2], outputs[:, 2:3], outputs[:, 3:]
        offset, keep = (
            F.interpolate(maps, scale_factor=times, mode="bilinear", align_corners=False) for maps in (offset, keep)
        )
        base = pixel_centres(side, residual.device).reshape(1, side, side, 2)
        positions = base + _REACH * torch.tanh(offset).permute(0, 2, 3, 1)
        fetched = F.grid_sample(residual, positions * 2.0 - 1.0, align_corners=False)
        return fetched * torch.sigmoid(keep + 2.0) + F.pixel_shuffle(correction, times)


class FeatureFusion(nn.Module):
    """SFT: 3D-aligned features scaled and shifted by the 2D-aligned ones, the visibility, and what an edit changed."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        inputs = 2 * channels + 1 + 3
        self.joined = nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU())
        self.scale_shift = nn.Linear(hidden, 2 * channels)

    def forward(self, aligned_3d: Tensor, aligned_2d: Tensor, visibility: Tensor, change: Tensor) -> Tensor:
        """Features [B, N, C] of both kinds, visibility [B, N, 1] in [0, 1], colour change [B, N, 3] -> [B, N, C]."""
        scale_and_shift = self.scale_shift(self.joined(torch.cat([aligned_3d, aligned_2d, visibility, change], dim=-1)))
        scale, shift = scale_and_shift.chunk(2, dim=-1)
        fused: Tensor = aligned_3d * (1.0 + scale) + shift
        return fused
