"""What pSp's descendants have in common (Richardson et al., CVPR 2021): an IR-SE-50 trunk, and heads that halve a map
of it to a single code. Names of the modules are those of released weights.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from .layers import Linear
from .residual_units import FixedNorm, ResidualUnit, conv3x3

INPUT_SIDE = 256
_UNITS = (3, 4, 14, 3)  # of each width; the first of them halves the side
_HEAD_SLOPE = 0.01


def input_layer(in_channels: int, width: int) -> nn.Sequential:
    """Picture [B, in_channels, S, S] -> features [B, width, S, S]."""
    return nn.Sequential(conv3x3(in_channels, width), FixedNorm(width), nn.PReLU(width))


def trunk(widths: tuple[int, ...], reduction: int) -> nn.ModuleList:
    """The 24 units of an IR-SE-50: features of ``widths[0]`` channels -> of each of four widths at half the side."""
    units: list[nn.Module] = []
    width = widths[0]
    for channels, count in zip(widths, _UNITS, strict=True):
        for index in range(count):
            units.append(ResidualUnit(width, channels, 1 if index else 2, reduction))
            width = channels
    return nn.ModuleList(units)


def after_units(features: Tensor, units: nn.ModuleList, taps: tuple[int, ...]) -> list[Tensor]:
    """What comes out of the units that ``taps`` count from 0, one after another."""
    found = []
    for index, unit in enumerate(units):
        features = unit(features)
        if index in taps:
            found.append(features)
    return found


def enlarged_like(level: Tensor, like: Tensor) -> Tensor:
    """A level of a pyramid at the side of the next one."""
    return F.interpolate(level, size=like.shape[-2:], mode="bilinear", align_corners=True)


class CodeHead(nn.Module):
    """A level of the pyramid [B, C, S, S] -> one code [B, out], by halving it ``halvings`` times to a single pixel."""

    def __init__(self, in_channels: int, out_channels: int, halvings: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index in range(halvings):
            layers.append(nn.Conv2d(out_channels if index else in_channels, out_channels, 3, stride=2, padding=1))
            layers.append(nn.LeakyReLU(_HEAD_SLOPE))
        self.convs = nn.Sequential(*layers)
        self.linear = Linear(out_channels, out_channels)

    def forward(self, level: Tensor) -> Tensor:
        code: Tensor = self.linear(self.convs(level).flatten(1))
        return code
