"""ADA: a residual picture, brought to another view or an edited face by a small U-Net (HFGI, Wang et al., CVPR 2022).

Names of the modules are those of the released weights.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..residual_units import FixedNorm, ResidualUnit, conv3x3


class ResidualAligner(nn.Module):
    """Residual [B, 3, H, H] and the picture to bring it to [B, 3, S, S] -> residual [B, 3, H, H] of that picture."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        first, second, third, fourth = widths
        self.conv_layer1 = nn.Sequential(conv3x3(6, first), FixedNorm(first), nn.PReLU(first))
        self.conv_layer2 = _three(first, second, second, second, stride=2)
        self.conv_layer3 = _three(second, third, third, third, stride=2)
        self.conv_layer4 = _three(third, fourth, fourth, fourth, stride=2)
        self.dconv_layer1 = _three(fourth + third, fourth, second, second)
        self.dconv_layer2 = _three(second + second, second, first, first)
        self.dconv_layer3 = _three(first + first, first, 3, 3)

    def forward(self, residual: Tensor, thumb: Tensor) -> Tensor:
        f1 = self.conv_layer1(torch.cat([residual, F.interpolate(thumb, size=residual.shape[-2:])], dim=1))
        f2 = self.conv_layer2(f1)
        f3 = self.conv_layer3(f2)
        merged = self.dconv_layer1(_beside(self.conv_layer4(f3), f3))
        merged = self.dconv_layer2(_beside(merged, f2))
        aligned: Tensor = self.dconv_layer3(_beside(merged, f1))
        return aligned


def _three(in_channels: int, *channels: int, stride: int = 1) -> nn.Sequential:
    widths = (in_channels, *channels)
    return nn.Sequential(
        *(
            ResidualUnit(before, after, stride if index == 0 else 1)
            for index, (before, after) in enumerate(zip(widths, channels, strict=False))
        )
    )


def _beside(low: Tensor, high: Tensor) -> Tensor:
    """Maps of half the side, enlarged, and maps of the full side."""
    enlarged = F.interpolate(low, size=high.shape[-2:], mode="bilinear", align_corners=False)
    return torch.cat([enlarged, high], dim=1)
