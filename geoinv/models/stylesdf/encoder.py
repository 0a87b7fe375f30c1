"""E0: photo -> code and camera (E3DGE, Lan et al., CVPR 2023, section 3.2).

An IR-SE-50 with a feature pyramid, as pSp's (Richardson et al., CVPR 2021). Names of the modules are those of the
released weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...camera import CameraPose
from ...errors import ShapeError
from ..layers import Linear
from .config import StyleSdfEncoderConfig
from .generator import joined
from .pose_network import INPUT_SIDE, PoseNetwork
from .residual_units import FixedNorm, ResidualUnit, conv3x3

INPUT_SIZE = 256
_UNITS = (3, 4, 14, 3)  # of each width; the first of them halves the side
_TAPS = (2, 6, 20, 23)  # the units after which the pyramid looks: 128, 64, 32, 16 px
_HEAD_CONVS = 7
_HEAD_SLOPE = 0.01


class _Head(nn.Module):
    """A level of the pyramid [B, P, S, S] -> one code [B, out], by halving it to a single pixel."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index in range(_HEAD_CONVS):
            layers.append(nn.Conv2d(out_channels if index else in_channels, out_channels, 3, stride=2, padding=1))
            layers.append(nn.LeakyReLU(_HEAD_SLOPE))
        self.convs = nn.Sequential(*layers)
        self.linear = Linear(out_channels, out_channels)

    def forward(self, level: Tensor) -> Tensor:
        code: Tensor = self.linear(self.convs(level).flatten(1))
        return code


class CodeNetwork(nn.Module):
    """Photo [B, 3, 256, 256] in [-1, 1] -> offsets from the mean: [B, rows, w_dim] of G0, [B, decoder_dim] of G1."""

    def __init__(self, config: StyleSdfEncoderConfig) -> None:
        super().__init__()
        widths = config.channels
        self.input_layer = nn.Sequential(conv3x3(3, widths[0]), FixedNorm(widths[0]), nn.PReLU(widths[0]))
        units: list[nn.Module] = []
        width = widths[0]
        for channels, count in zip(widths, _UNITS, strict=True):
            for index in range(count):
                units.append(ResidualUnit(width, channels, 1 if index else 2, config.reduction))
                width = channels
        self.body = nn.ModuleList(units)
        self.latlayer64 = nn.Conv2d(widths[0], config.pyramid, 1)
        self.latlayer128 = nn.Conv2d(widths[1], config.pyramid, 1)
        self.latlayer256 = nn.Conv2d(widths[2], config.pyramid, 1)
        self.styles_pigan = nn.ModuleList(_Head(config.pyramid, config.w_dim) for _ in range(config.renderer_rows))
        # the released files have ten of these, of which only the first is read
        self.styles_stylegan = nn.ModuleList([_Head(config.pyramid, config.decoder_dim)])

    def taps(self, photo: Tensor) -> list[Tensor]:
        """Maps of 128, 64, 32 and 16 px."""
        features, found = self.input_layer(photo), []
        for index, unit in enumerate(self.body):
            features = unit(features)
            if index in _TAPS:
                found.append(features)
        return found

    def pyramid(self, taps: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Levels of 32 and of 128 px."""
        c128, c64, c32, c16 = taps
        p32 = _enlarged(c16, c32) + self.latlayer256(c32)
        p64 = _enlarged(p32, c64) + self.latlayer128(c64)
        return p32, _enlarged(p64, c128) + self.latlayer64(c128)

    def forward(self, photo: Tensor) -> tuple[Tensor, Tensor]:
        p32, p128 = self.pyramid(self.taps(photo))
        return torch.stack([head(p32) for head in self.styles_pigan], dim=1), self.styles_stylegan[0](p128)


def _enlarged(level: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(level, size=like.shape[-2:], mode="bilinear", align_corners=True)


@dataclass(frozen=True)
class StyleSdfEstimate:
    """w_plus [B, num_ws, w_dim], differences from the mean, and the cameras."""

    w_plus: Tensor
    camera: CameraPose


class StyleSdfEncoder(nn.Module):
    """Photo [B, 3, 256, 256] in [-1, 1], cropped as FFHQ -> :class:`StyleSdfEstimate`."""

    def __init__(self, config: StyleSdfEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.code = CodeNetwork(config)
        self.pose = PoseNetwork(config.pose_channels)

    def forward(self, photo: Tensor) -> StyleSdfEstimate:
        if photo.ndim != 4 or photo.shape[1:] != (3, INPUT_SIZE, INPUT_SIZE):
            raise ShapeError(f"photo must be [B, 3, {INPUT_SIZE}, {INPUT_SIZE}], got {list(photo.shape)}")
        renderer, decoder = self.code(photo)
        decoder = decoder[:, None].expand(-1, self.config.decoder_rows, -1)
        small = F.adaptive_avg_pool2d(photo, INPUT_SIDE)
        return StyleSdfEstimate(joined(renderer, decoder), self.pose.camera(small))
