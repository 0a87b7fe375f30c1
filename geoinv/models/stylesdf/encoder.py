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
from ..psp import CodeHead, after_units, enlarged_like, input_layer, trunk
from .config import StyleSdfEncoderConfig
from .generator import joined
from .pose_network import INPUT_SIDE, PoseNetwork

INPUT_SIZE = 256
_TAPS = (2, 6, 20, 23)  # the units after which the pyramid looks: 128, 64, 32, 16 px
_HALVINGS = 7  # of heads: the last ones halve a single pixel


class CodeNetwork(nn.Module):
    """Photo [B, 3, 256, 256] in [-1, 1] -> offsets from the mean: [B, rows, w_dim] of G0, [B, decoder_dim] of G1."""

    def __init__(self, config: StyleSdfEncoderConfig) -> None:
        super().__init__()
        widths = config.channels
        self.input_layer = input_layer(3, widths[0])
        self.body = trunk(widths, config.reduction)
        self.latlayer64 = nn.Conv2d(widths[0], config.pyramid, 1)
        self.latlayer128 = nn.Conv2d(widths[1], config.pyramid, 1)
        self.latlayer256 = nn.Conv2d(widths[2], config.pyramid, 1)
        self.styles_pigan = nn.ModuleList(
            CodeHead(config.pyramid, config.w_dim, _HALVINGS) for _ in range(config.renderer_rows)
        )
        # the released files have ten of these, of which only the first is read
        self.styles_stylegan = nn.ModuleList([CodeHead(config.pyramid, config.decoder_dim, _HALVINGS)])

    def taps(self, photo: Tensor) -> list[Tensor]:
        """Maps of 128, 64, 32 and 16 px."""
        return after_units(self.input_layer(photo), self.body, _TAPS)

    def pyramid(self, taps: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Levels of 32 and of 128 px."""
        c128, c64, c32, c16 = taps
        p32 = enlarged_like(c16, c32) + self.latlayer256(c32)
        p64 = enlarged_like(p32, c64) + self.latlayer128(c64)
        return p32, enlarged_like(p64, c128) + self.latlayer64(c128)

    def forward(self, photo: Tensor) -> tuple[Tensor, Tensor]:
        p32, p128 = self.pyramid(self.taps(photo))
        return torch.stack([head(p32) for head in self.styles_pigan], dim=1), self.styles_stylegan[0](p128)


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
