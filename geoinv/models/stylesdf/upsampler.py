"""G1: G0's features -> the picture, by StyleGAN2's decoder (Karras et al., CVPR 2020). Names are the released ones."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ...ops.bias_act import LRELU_GAIN, LRELU_SLOPE
from ...ops.modulated_conv2d import modulated_conv2d
from ...ops.upfirdn2d import upsample2
from ..layers import Linear, scaled_lrelu
from .config import StyleSdfConfig

_MAPPING_RATE = 0.01


class _Modulated(nn.Module):
    """Kernel and what makes its styles of a code."""

    def __init__(self, in_channels: int, out_channels: int, side: int, code_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, out_channels, in_channels, side, side))
        self.modulation = Linear(code_dim, in_channels)
        self.gain = 1.0 / math.sqrt(in_channels * side * side)

    def styles(self, code: Tensor) -> Tensor:
        """[B, in], the kernel's gain included."""
        styles: Tensor = self.modulation(code) * self.gain
        return styles


class _Strength(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))


class _Activation(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))


class StyledLayer(nn.Module):
    """Modulated 3x3 convolution, noise, bias, leaky ReLU; with ``up`` to twice the side."""

    def __init__(self, in_channels: int, out_channels: int, code_dim: int, *, up: bool) -> None:
        super().__init__()
        self.up = up
        self.conv = _Modulated(in_channels, out_channels, 3, code_dim)
        self.noise = _Strength()
        self.activate = _Activation(out_channels)

    def forward(self, features: Tensor, code: Tensor, noise: Tensor) -> Tensor:
        """Features [B, in, H, W], code [B, code_dim], noise [1, 1, H', W'] -> [B, out, H', W']."""
        return modulated_conv2d(
            features,
            self.conv.weight[0],
            self.conv.styles(code),
            up=self.up,
            noise=noise[0, 0] * self.noise.weight,
            bias=self.activate.bias,
            slope=LRELU_SLOPE,
            gain=LRELU_GAIN,
        )


class ToRgb(nn.Module):
    """Modulated 1x1 convolution without demodulation, added to the picture of half the side."""

    def __init__(self, in_channels: int, code_dim: int) -> None:
        super().__init__()
        self.conv = _Modulated(in_channels, 3, 1, code_dim)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, features: Tensor, code: Tensor, below: Tensor | None = None) -> Tensor:
        styles = self.conv.styles(code)
        rgb = modulated_conv2d(features, self.conv.weight[0], styles, demodulate=False, bias=self.bias.flatten())
        return rgb if below is None else rgb + upsample2(below)


class Upsampler(nn.Module):
    """Features [B, C, S, S] and codes [B, rows, D] -> picture [B, 3, H, H] in [-1, 1], about; not clamped.

    The noise is fixed: it came with the weights, so that frames of a video do not flicker.
    """

    def __init__(self, config: StyleSdfConfig) -> None:
        super().__init__()
        code_dim, channels = config.decoder_dim, config.channels
        self.style = nn.ModuleDict(
            {
                str(layer + 1): Linear(config.w_dim if layer == 0 else code_dim, code_dim, lr_multiplier=_MAPPING_RATE)
                for layer in range(config.decoder_mapping_layers)
            }
        )
        self.conv1 = StyledLayer(config.w_dim, channels[0], code_dim, up=False)
        self.to_rgb1 = ToRgb(channels[0], code_dim)
        self.convs = nn.ModuleList()
        self.to_rgbs = nn.ModuleList()
        self.noises = nn.Module()
        self.noises.register_buffer("noise_0", torch.zeros(1, 1, config.ray_side, config.ray_side))
        for level in range(1, len(channels)):
            self.convs.append(StyledLayer(channels[level - 1], channels[level], code_dim, up=True))
            self.convs.append(StyledLayer(channels[level], channels[level], code_dim, up=False))
            self.to_rgbs.append(ToRgb(channels[level], code_dim))
            side = config.ray_side * 2**level
            for number in (2 * level - 1, 2 * level):
                self.noises.register_buffer(f"noise_{number}", torch.zeros(1, 1, side, side))

    def mapping(self, w: Tensor) -> Tensor:
        """w [B, w_dim] of G0 -> [B, D] of G1."""
        code = w * torch.rsqrt(w.square().mean(dim=-1, keepdim=True) + 1e-8)
        for layer in self.style.values():
            code = scaled_lrelu(layer(code))
        return code

    def forward(self, features: Tensor, codes: Tensor) -> Tensor:
        features = self.conv1(features, codes[:, 0], self._noise(0))
        picture: Tensor = self.to_rgb1(features, codes[:, 1])
        for level, to_rgb in enumerate(self.to_rgbs):
            first = 2 * level
            features = self.convs[first](features, codes[:, first + 1], self._noise(first + 1))
            features = self.convs[first + 1](features, codes[:, first + 2], self._noise(first + 2))
            picture = to_rgb(features, codes[:, first + 3], picture)
        return picture

    def _noise(self, number: int) -> Tensor:
        return self.noises.get_buffer(f"noise_{number}")
