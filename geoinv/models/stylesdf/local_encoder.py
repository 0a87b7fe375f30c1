"""E1: residual and depth of a view -> features of its pixels, by stacked hourglasses (PIFu, Saito et al., ICCV 2019).

Names of the modules are those of the released weights.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import StyleSdfDetailConfig

_STACKS = 4


class _Block(nn.Module):
    """Three 3x3 convolutions, each after normalisation; what all three give, side by side, on top of a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, groups: int) -> None:
        super().__init__()
        half, quarter = out_channels // 2, out_channels // 4
        self.conv1 = nn.Conv2d(in_channels, half, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(half, quarter, 3, padding=1, bias=False)
        self.conv3 = nn.Conv2d(quarter, quarter, 3, padding=1, bias=False)
        self.bn1 = nn.GroupNorm(groups, in_channels)
        self.bn2 = nn.GroupNorm(groups, half)
        self.bn3 = nn.GroupNorm(groups, quarter)
        if in_channels != out_channels:
            self.downsample: nn.Module | None = nn.Sequential(
                nn.GroupNorm(groups, in_channels), nn.ReLU(), nn.Conv2d(in_channels, out_channels, 1, bias=False)
            )
        else:
            self.downsample = None

    def forward(self, features: Tensor) -> Tensor:
        first = self.conv1(F.relu(self.bn1(features)))
        second = self.conv2(F.relu(self.bn2(first)))
        third = self.conv3(F.relu(self.bn3(second)))
        shortcut = features if self.downsample is None else self.downsample(features)
        return torch.cat([first, second, third], dim=1) + shortcut


class _Hourglass(nn.Module):
    """Two halvings and back, with blocks at each side."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.b1_2 = _Block(channels, channels, groups)
        self.b2_2 = _Block(channels, channels, groups)
        self.b1_1 = _Block(channels, channels, groups)
        self.b2_1 = _Block(channels, channels, groups)
        self.b2_plus_1 = _Block(channels, channels, groups)
        self.b3_1 = _Block(channels, channels, groups)
        self.b3_2 = _Block(channels, channels, groups)

    def forward(self, features: Tensor) -> Tensor:
        half = self.b2_2(F.avg_pool2d(features, 2))
        quarter = self.b3_1(self.b2_plus_1(self.b2_1(F.avg_pool2d(half, 2))))
        half = self.b3_2(self.b1_1(half) + _doubled(quarter))
        result: Tensor = self.b1_2(features) + _doubled(half)
        return result


def _doubled(features: Tensor) -> Tensor:
    return F.interpolate(features, scale_factor=2, mode="bicubic", align_corners=True)


class _HourglassStack(nn.Module):
    """Maps [B, I, H, H] -> features [B, C, H / 4, H / 4] of the last of four hourglasses."""

    def __init__(self, in_channels: int, widths: tuple[int, ...], out_channels: int, groups: int) -> None:
        super().__init__()
        first, second, width = widths
        self.conv1 = nn.Conv2d(in_channels, first, 7, stride=2, padding=3)
        self.bn1 = nn.GroupNorm(groups, first)
        self.conv2 = _Block(first, second, groups)
        self.conv3 = _Block(second, second, groups)
        self.conv4 = _Block(second, width, groups)
        for stack in range(_STACKS):
            self.add_module(f"m{stack}", _Hourglass(width, groups))
            self.add_module(f"top_m_{stack}", _Block(width, width, groups))
            self.add_module(f"conv_last{stack}", nn.Conv2d(width, width, 1))
            self.add_module(f"bn_end{stack}", nn.GroupNorm(groups, width))
            self.add_module(f"l{stack}", nn.Conv2d(width, out_channels, 1))
            if stack < _STACKS - 1:
                self.add_module(f"bl{stack}", nn.Conv2d(width, width, 1))
                self.add_module(f"al{stack}", nn.Conv2d(out_channels, width, 1))

    def forward(self, maps: Tensor) -> Tensor:
        features = self.conv2(F.relu(self.bn1(self.conv1(maps))))
        features = self.conv4(self.conv3(F.avg_pool2d(features, 2)))
        for stack in range(_STACKS):
            part = self._modules
            inner = part[f"top_m_{stack}"](part[f"m{stack}"](features))  # type: ignore[misc]
            inner = F.relu(part[f"bn_end{stack}"](part[f"conv_last{stack}"](inner)))  # type: ignore[misc]
            given = part[f"l{stack}"](inner)  # type: ignore[misc]
            if stack < _STACKS - 1:
                features = features + part[f"bl{stack}"](inner) + part[f"al{stack}"](given)  # type: ignore[misc]
        result: Tensor = given
        return result


class _StemBlock(nn.Module):
    """Normalisation over each picture, ReLU and 3x3 convolution, twice, on top of the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.InstanceNorm2d(channels, affine=True),
            nn.ReLU(),
            _reflecting(channels, channels),
            nn.InstanceNorm2d(channels, affine=True),
            nn.ReLU(),
            _reflecting(channels, channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = features + self.conv(features)
        return result


def _reflecting(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1, padding_mode="reflect", bias=False)


def _stem(in_channels: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        _reflecting(in_channels, channels), _StemBlock(channels), nn.Conv2d(channels, channels, 1, bias=False)
    )


class ResidualLinear(nn.Module):
    """ReLU and linear layer, twice, on top of a linear shortcut."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        hidden = min(in_features, out_features)
        self.fc_0 = nn.Linear(in_features, hidden)
        self.fc_1 = nn.Linear(hidden, out_features)
        self.shortcut = nn.Linear(in_features, out_features, bias=False)

    def forward(self, values: Tensor) -> Tensor:
        result: Tensor = self.fc_1(F.relu(self.fc_0(F.relu(values)))) + self.shortcut(values)
        return result


class LocalEncoder(nn.Module):
    """Residual [B, 3, 256, 256] and depth [B, 1, S, S] of a view -> features [B, C, 64, 64].

    It also holds the layer that turns features and place of a point into its modulation.
    """

    def __init__(self, config: StyleSdfDetailConfig, place_channels: int) -> None:
        super().__init__()
        self.residual_conv = _stem(3, config.stem)
        self.depth_conv = _stem(1, config.stem)
        self.image_filter = _HourglassStack(2 * config.stem, config.widths, config.w_dim, config.groups)
        self.local_feat_to_tex_modulations_linear = ResidualLinear(config.w_dim + place_channels, 2 * config.w_dim)

    def forward(self, residual: Tensor, depth: Tensor) -> Tensor:
        depth = F.interpolate(depth, size=residual.shape[-2:])  # nearest: blocks, as the residual has them
        features: Tensor = self.image_filter(torch.cat([self.residual_conv(residual), self.depth_conv(depth)], dim=1))
        return features
