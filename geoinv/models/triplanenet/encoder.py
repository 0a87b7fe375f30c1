"""E0: photo -> code, by a pSp encoder (Richardson et al., CVPR 2021). It does not find the camera."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...errors import ShapeError
from ..psp import INPUT_SIDE, CodeHead, after_units, enlarged_like, input_layer, trunk
from .config import TriPlaneNetEncoderConfig

_TAPS = (6, 20, 23)  # the units after which the pyramid looks: 64, 32, 16 px
_COARSE, _MIDDLE = 3, 7  # codes before these read 16 and 32 px, the others 64 px
_HALVINGS = (4, 5, 6)  # of their heads


@dataclass(frozen=True)
class TriPlaneNetEstimate:
    """w_plus [B, num_ws, w_dim]; the camera has to come from elsewhere."""

    w_plus: Tensor
    camera: None = None


class TriPlaneNetEncoder(nn.Module):
    """Photo [B, 3, 256, 256] in [-1, 1] -> :class:`TriPlaneNetEstimate`."""

    w_avg: Tensor  # [w_dim], the mean code that the offsets are from

    def __init__(self, config: TriPlaneNetEncoderConfig) -> None:
        super().__init__()
        self.config = config
        widths, pyramid = config.channels, config.channels[-1]
        self.input_layer = input_layer(3, widths[0])
        self.body = trunk(widths, config.reduction)
        self.styles = nn.ModuleList(
            CodeHead(pyramid, config.w_dim, _HALVINGS[_level_of(index)]) for index in range(config.num_ws)
        )
        self.latlayer1 = nn.Conv2d(widths[2], pyramid, 1)
        self.latlayer2 = nn.Conv2d(widths[1], pyramid, 1)
        self.register_buffer("w_avg", torch.zeros(config.w_dim))

    def offsets(self, photo: Tensor) -> Tensor:
        """[B, num_ws, w_dim] codes minus the mean one."""
        c64, c32, c16 = after_units(self.input_layer(photo), self.body, _TAPS)
        p32 = enlarged_like(c16, c32) + self.latlayer1(c32)
        levels = (c16, p32, enlarged_like(p32, c64) + self.latlayer2(c64))
        return torch.stack([head(levels[_level_of(index)]) for index, head in enumerate(self.styles)], dim=1)

    def forward(self, photo: Tensor) -> TriPlaneNetEstimate:
        if photo.ndim != 4 or photo.shape[1:] != (3, INPUT_SIDE, INPUT_SIDE):
            raise ShapeError(f"photo must be [B, 3, {INPUT_SIDE}, {INPUT_SIDE}], got {list(photo.shape)}")
        return TriPlaneNetEstimate(self.w_avg + self.offsets(photo).float())


def _level_of(index: int) -> int:
    """Level of the pyramid that a code reads, from coarse to fine."""
    return 0 if index < _COARSE else 1 if index < _MIDDLE else 2
