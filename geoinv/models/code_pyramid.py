"""Codes by a large network, for those with a GPU: a trunk of residual blocks with channel attention, and a pyramid.

The trunk is ArcFace's improved residual network of 50 layers (Deng et al., CVPR 2019) with squeeze-and-excitation (Hu
et al., CVPR 2018); coarse, middle and fine codes read three scales of a feature pyramid (Lin et al., CVPR 2017), as in
pSp (Richardson et al., CVPR 2021). Written from these papers. Unlike pSp, codes of one scale share the convolutions
that lead to them, which takes 0.1 instead of 0.2 billion parameters, and groups are normalised instead of batches,
which are small here.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .encoder_config import EncoderConfig

_COARSE, _MIDDLE = 3, 4
"""Number of codes that read the coarsest and the middle scale, as in pSp; the others read the finest."""
_GROUPS = 32
_SQUEEZE = 16


class CodePyramid(nn.Module):
    """Picture [B, 3, 256, 256] in [-1, 1] -> offsets of codes [B, num_ws, w_dim], and what they are read from at the
    coarsest scale [B, hidden]."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        widths, hidden = config.channels, config.hidden
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], 3, padding=1, bias=False), _norm(widths[0]), nn.PReLU(widths[0])
        )
        pairs = zip((widths[0], *widths[:-1]), widths, config.blocks, strict=True)
        self.stages = nn.ModuleList(
            nn.Sequential(*(_Block(before if block == 0 else width, width, block == 0) for block in range(count)))
            for before, width, count in pairs
        )
        self.lateral = nn.ModuleList(nn.Conv2d(width, hidden, 1) for width in widths[-3:])
        coarse = min(_COARSE, config.num_ws)
        middle = min(_MIDDLE, config.num_ws - coarse)
        counts = (config.num_ws - coarse - middle, middle, coarse)
        side = 256 // 2 ** len(widths)  # of the coarsest scale
        sides = (4 * side, 2 * side, side)
        self.towers = nn.ModuleList(_tower(hidden, side) for side in sides)
        self.codes = nn.ModuleList(nn.Linear(hidden, count * config.w_dim) for count in counts)
        for layer in self.codes:
            assert isinstance(layer, nn.Linear)
            nn.init.zeros_(layer.bias)
            layer.weight.data.mul_(0.1)  # begins at the mean head

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        features, scales = self.stem(picture), []
        for stage in self.stages:
            features = stage(features)
            scales.append(features)
        above: Tensor | None = None
        parts: list[Tensor] = []
        seen: list[Tensor] = []
        for index in (2, 1, 0):  # from coarse to fine
            joined = self.lateral[index](scales[index - 3])
            if above is not None:
                joined = joined + F.interpolate(above, scale_factor=2, mode="bilinear", align_corners=False)
            above = joined
            seen.append(self.towers[index](joined).flatten(1))
            parts.append(self.codes[index](seen[-1]))
        offsets = [part.float().reshape(len(picture), -1, self.config.w_dim) for part in parts]
        return torch.cat(offsets, dim=1), seen[0].float()


class _Block(nn.Module):
    """Two 3x3 convolutions about a shortcut, their channels weighed by what the whole picture shows."""

    def __init__(self, in_channels: int, out_channels: int, halves: bool) -> None:
        super().__init__()
        stride = 2 if halves else 1
        self.body = nn.Sequential(
            _norm(in_channels),
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.PReLU(out_channels),
            nn.Conv2d(out_channels, out_channels, 3, stride=stride, padding=1, bias=False),
            _norm(out_channels),
        )
        self.squeeze = nn.Linear(out_channels, out_channels // _SQUEEZE)
        self.excite = nn.Linear(out_channels // _SQUEEZE, out_channels)
        is_plain = in_channels == out_channels
        self.shortcut = nn.Identity() if is_plain else nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.halves = halves

    def forward(self, features: Tensor) -> Tensor:
        inner = self.body(features)
        weights = self.excite(F.relu(self.squeeze(inner.mean(dim=(2, 3))))).sigmoid()
        kept = F.avg_pool2d(features, 2) if self.halves else features
        result: Tensor = self.shortcut(kept) + inner * weights[:, :, None, None]
        return result


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(min(_GROUPS, channels // 2), channels)


def _tower(width: int, side: int) -> nn.Sequential:
    """[B, width, side, side] -> [B, width, 1, 1]."""
    layers: list[nn.Module] = []
    while side > 1:
        layers += [nn.Conv2d(width, width, 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
        side //= 2
    return nn.Sequential(*layers)
