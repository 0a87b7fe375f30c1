"""Residual units of face recognition's IR networks (Deng et al., CVPR 2019), which E0 and the aligner are built of.

The networks are used as they were trained and not trained further: their batch normalisation is a fixed scale and
shift. Names of the modules are those of the released weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_EPSILON = 1e-5


class FixedNorm(nn.Module):
    """Batch normalisation by the statistics of training."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, features: Tensor) -> Tensor:
        return nn.functional.batch_norm(
            features, self.running_mean, self.running_var, self.weight, self.bias, eps=_EPSILON
        )


def conv3x3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    """A 3x3 convolution with zeros round the picture and no bias."""
    return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)


class SqueezeExcitation(nn.Module):
    """Scale of each channel by what the whole picture has of all (Hu et al., CVPR 2018)."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // reduction, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // reduction, channels, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        scale = self.fc2(torch.relu(self.fc1(features.mean(dim=(2, 3), keepdim=True))))
        return features * torch.sigmoid(scale)


class ResidualUnit(nn.Module):
    """Normalisation, two 3x3 convolutions and, with a reduction, squeeze and excitation, beside a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, reduction: int | None = None) -> None:
        super().__init__()
        self.stride = stride
        layers: list[nn.Module] = [
            FixedNorm(in_channels),
            conv3x3(in_channels, out_channels),
            nn.PReLU(out_channels),
            conv3x3(out_channels, out_channels, stride),
            FixedNorm(out_channels),
        ]
        if reduction is not None:
            layers.append(SqueezeExcitation(out_channels, reduction))
        self.res_layer = nn.Sequential(*layers)
        if in_channels != out_channels:
            self.shortcut_layer: nn.Module | None = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False), FixedNorm(out_channels)
            )
        else:
            self.shortcut_layer = None

    def forward(self, features: Tensor) -> Tensor:
        if self.shortcut_layer is not None:
            kept = self.shortcut_layer(features)
        else:
            kept = features[:, :, :: self.stride, :: self.stride]
        summed: Tensor = kept + self.res_layer(features)
        return summed
