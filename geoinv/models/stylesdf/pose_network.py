"""The network that tells the camera of a face: two outputs of StyleSDF's discriminator of volume renders.

Names of the modules are those of the released weights.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...camera import CameraPose

INPUT_SIDE = 64
_SLOPE = 0.2
_HALVINGS = 5  # from 64 px to 2


class _Activation(nn.Module):
    """Bias and leaky ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, features: Tensor) -> Tensor:
        return F.leaky_relu(features + self.bias[:, None, None], _SLOPE)


class _Colors(nn.Module):
    """1x1 convolution of the picture, bias, leaky ReLU."""

    def __init__(self, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, out_channels, 1, bias=False)
        self.activation = _Activation(out_channels)

    def forward(self, picture: Tensor) -> Tensor:
        colors: Tensor = self.activation(self.conv(picture))
        return colors


class _PlaceConv(nn.Module):
    """3x3 convolution that also reads each pixel's y and x in [-1, 1] (CoordConv, Liu et al., NeurIPS 2018)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels + 2, out_channels, 3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        batch, _, height, width = features.shape
        ticks = [torch.linspace(-1.0, 1.0, side, device=features.device) for side in (height, width)]
        places = torch.stack(torch.meshgrid(*ticks, indexing="ij"))  # y, then x
        result: Tensor = self.conv(torch.cat([features, places.expand(batch, -1, -1, -1)], dim=1))
        return result


class _Layer(nn.Module):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = _PlaceConv(in_channels, out_channels)
        self.activation = _Activation(out_channels)

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.activation(self.conv(features))
        return result


class _Projection(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, side: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, side)

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.conv(features)
        return result


class _Halving(nn.Module):
    """Two layers beside a shortcut, both at half the side in the end."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = _Layer(in_channels, out_channels)
        self.conv2 = _Layer(out_channels, out_channels)
        self.skip = _Projection(in_channels, out_channels, 1) if in_channels != out_channels else None

    def forward(self, features: Tensor) -> Tensor:
        shortcut = F.avg_pool2d(features, 2)
        if self.skip is not None:
            shortcut = self.skip(shortcut)
        return (F.avg_pool2d(self.conv2(self.conv1(features)), 2) + shortcut) / math.sqrt(2.0)


class PoseNetwork(nn.Module):
    """Picture [B, 3, 64, 64] in [-1, 1] -> three numbers: how real it is, azimuth, elevation."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        widths = [*channels, *[channels[-1]] * (_HALVINGS + 1 - len(channels))]
        blocks = [_Halving(before, after) for before, after in zip(widths, widths[1:], strict=False)]
        self.convs = nn.ModuleList([_Colors(widths[0]), *blocks])
        self.final_conv = _Projection(widths[-1], 3, 2)

    def forward(self, picture: Tensor) -> Tensor:
        """[B, 3]: the logit of being real, azimuth and elevation in radians."""
        features = picture
        for block in self.convs:
            features = block(features)
        told: Tensor = self.final_conv(features).flatten(1)
        return told

    def camera(self, picture: Tensor) -> CameraPose:
        """The cameras of faces; the family knows neither roll nor shift."""
        angles = self(picture)[:, 1:]
        return CameraPose.from_vector(F.pad(angles, (0, 4)))
