"""What a photo shows beyond its code, as offsets of the generator's planes: a U-Net on an IR-SE-50 trunk."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...errors import ShapeError
from ..psp import INPUT_SIDE, after_units, input_layer, trunk
from ..residual_units import FixedNorm
from .config import TriPlaneNetDetailConfig

_TAPS = (2, 6, 20, 21, 23)  # units whose maps, of 128, 64, 32, 16 and 16 px, the way back reads
_SHUFFLED = 2  # times as long are sides after a pixel shuffle


class PlaneOffsets(nn.Module):
    """Photo and planes -> offsets [B, plane_channels, 256, 256] of the planes."""

    def __init__(self, config: TriPlaneNetDetailConfig) -> None:
        super().__init__()
        self.config = config
        half, quarter, eighth, sixteenth = config.channels
        shares = config.enlarging == "shuffle"
        self.input_layer = input_layer(config.inputs, half)
        self.body = trunk(config.channels, config.reduction)
        first, second, third, fourth = config.widths
        self.up1 = _Up(2 * sixteenth, first, None)
        self.up2 = _Up(eighth + _grown(first, shares), second, _enlarger(shares))
        self.up3 = _Up(quarter + _grown(second, shares), third, _enlarger(shares))
        self.up4 = _Up(half + _grown(third, shares), fourth, _enlarger(shares))
        self.enlarge = _enlarger(shares)
        out = config.plane_channels
        self.final_head = nn.Sequential(
            nn.Conv2d(_grown(fourth, shares) + (out if config.sees_mirror else 0), out, 3, padding=1),
            nn.PReLU(out),
            nn.Conv2d(out, out, 3, padding=1),
            nn.PReLU(out),
            nn.Conv2d(out, out, 1),
        )

    def forward(self, photo: Tensor, planes: Tensor) -> Tensor:
        """Offsets of planes.

        Args:
            photo: [B, 6 or 9, 256, 256]: the picture by the code alone in [-1, 1], what the photo has beyond it, and
                where the network sees the mirrored photo, the same of that.
            planes: [B, plane_channels, 256, 256] of the code.
        """
        if photo.shape[1:] != (self.config.inputs, INPUT_SIDE, INPUT_SIDE):
            raise ShapeError(f"photo must be [B, {self.config.inputs}, 256, 256], got {list(photo.shape)}")
        if planes.shape[1:] != (self.config.plane_channels, INPUT_SIDE, INPUT_SIDE):
            raise ShapeError(f"planes must be [B, {self.config.plane_channels}, 256, 256], got {list(planes.shape)}")
        c128, c64, c32, c16, deepest = after_units(self.input_layer(photo), self.body, _TAPS)
        features = deepest
        for up, beside in ((self.up1, c16), (self.up2, c32), (self.up3, c64), (self.up4, c128)):
            features = up(features, beside)
        features = self.enlarge(features)
        if self.config.sees_mirror:
            features = torch.cat([planes, features], dim=1)
        offsets: Tensor = self.final_head(features)
        return offsets


class _Up(nn.Module):
    """Maps enlarged and joined with those of the way down, then two convolutions."""

    def __init__(self, in_channels: int, out_channels: int, enlarge: nn.Module | None) -> None:
        super().__init__()
        self.enlarge = nn.Identity() if enlarge is None else enlarge
        self.conv = nn.ModuleDict({"double_conv": _two_convolutions(in_channels, out_channels)})

    def forward(self, features: Tensor, beside: Tensor) -> Tensor:
        joined: Tensor = self.conv["double_conv"](torch.cat([beside, self.enlarge(features)], dim=1))
        return joined


def _two_convolutions(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        FixedNorm(in_channels),
        nn.Conv2d(in_channels, out_channels, 3, padding=1),
        nn.PReLU(out_channels),
        nn.Conv2d(out_channels, out_channels, 3, padding=1),
        nn.PReLU(out_channels),
        nn.PReLU(out_channels),  # the released network has two in a row
    )


def _enlarger(shuffles: bool) -> nn.Module:
    return nn.PixelShuffle(_SHUFFLED) if shuffles else nn.Upsample(scale_factor=2)


def _grown(channels: int, shuffles: bool) -> int:
    """Channels that are left of a map when its side has doubled."""
    return channels // _SHUFFLED**2 if shuffles else channels
