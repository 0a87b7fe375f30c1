"""A U-Net of residual blocks, the shape of both networks of the local branch: wide context on few pixels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_GROUPS = 8


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with group normalisation about a shortcut."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm0 = nn.GroupNorm(_GROUPS, in_channels)
        self.conv0 = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.norm1 = nn.GroupNorm(_GROUPS, out_channels)
        self.conv1 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        is_plain = in_channels == out_channels
        self.shortcut = nn.Identity() if is_plain else nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        inner = self.conv0(F.silu(self.norm0(features)))
        inner = self.conv1(F.silu(self.norm1(inner)))
        result: Tensor = inner + self.shortcut(features)
        return result


class Hourglass(nn.Module):
    """[B, in, S, S] -> [B, out, S, S]; ``widths`` are the channels at S, S / 2, S / 4, ..."""

    def __init__(self, in_channels: int, out_channels: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(in_channels, widths[0], 3, padding=1)
        self.down = nn.ModuleList(ResidualBlock(a, b) for a, b in zip(widths, widths[1:], strict=False))
        self.middle = ResidualBlock(widths[-1], widths[-1])
        self.up = nn.ModuleList(ResidualBlock(b, a) for a, b in zip(widths, widths[1:], strict=False))
        self.finest = ResidualBlock(widths[0], widths[0])
        self.head = nn.Conv2d(widths[0], out_channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        features: Tensor = self.stem(maps.contiguous(memory_format=torch.channels_last))
        skips = []
        for block in self.down:
            skips.append(features)
            features = block(F.avg_pool2d(features, 2))
        features = self.middle(features)
        for block, skip in zip(reversed(self.up), reversed(skips), strict=True):
            features = skip + F.interpolate(block(features), scale_factor=2, mode="bilinear", align_corners=False)
        result: Tensor = self.head(F.silu(self.finest(features)))
        return result
