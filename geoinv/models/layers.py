"""Layers with StyleGAN2's equalised learning rate: parameters are unit normal, the scale is applied when used."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ops.bias_act import LRELU_GAIN, LRELU_SLOPE
from ..ops.modulated_conv2d import modulated_conv2d
from .initial_values import normal_values


def scaled_lrelu(features: Tensor) -> Tensor:
    """Leaky ReLU of slope 0.2 times sqrt(2), which keeps the variance of a unit normal."""
    return F.leaky_relu(features, LRELU_SLOPE) * LRELU_GAIN


class Linear(nn.Module):
    """Fully connected layer; ``weight`` [out, in] is used as weight * lr_multiplier / sqrt(in)."""

    def __init__(self, in_features: int, out_features: int, *, lr_multiplier: float = 1.0, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(normal_values(out_features, in_features, std=1.0 / lr_multiplier))
        self.bias = nn.Parameter(torch.full((out_features,), float(bias)))
        self.weight_gain = lr_multiplier / math.sqrt(in_features)
        self.bias_gain = lr_multiplier

    def forward(self, features: Tensor) -> Tensor:
        return F.linear(features, *self.scaled())

    def scaled(self) -> tuple[Tensor, Tensor]:
        """Weight [out, in] and bias [out] as they are used."""
        return self.weight * self.weight_gain, self.bias * self.bias_gain


Noise = Literal["fixed", "unused", "absent"]
"""Added always; kept with the weights but not added, as EG3D's super-resolution does; or not there."""


class StyledConv(nn.Module):
    """Modulated 3x3 convolution, noise, bias, leaky ReLU, and where there is a limit, a clamp at that magnitude."""

    noise_const: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        *,
        up: bool,
        noise: Noise,
        limit: float | None = None,
    ) -> None:
        super().__init__()
        self.up, self.limit = up, limit
        self.affine = Linear(w_dim, in_channels, bias=1.0)
        self.weight = nn.Parameter(normal_values(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.adds_noise = noise == "fixed"
        if noise != "absent":
            self.noise_strength = nn.Parameter(torch.zeros(()))
            self.register_buffer("noise_const", normal_values(resolution, resolution))

    def forward(self, features: Tensor, w: Tensor) -> Tensor:
        """features [B, C_in, H, W], w [B, w_dim] -> [B, C_out, H, W], or twice the side with ``up``."""
        return modulated_conv2d(
            features,
            self.weight,
            self.affine(w),
            up=self.up,
            noise=self.noise_const * self.noise_strength if self.adds_noise else None,
            bias=self.bias,
            slope=LRELU_SLOPE,
            gain=LRELU_GAIN,
            limit=self.limit,
        )


class ToFeatures(nn.Module):
    """Modulated 1x1 convolution without demodulation ("torgb")."""

    def __init__(self, in_channels: int, out_channels: int, w_dim: int) -> None:
        super().__init__()
        self.affine = Linear(w_dim, in_channels, bias=1.0)
        self.weight = nn.Parameter(normal_values(out_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.gain = 1.0 / math.sqrt(in_channels)

    def forward(self, features: Tensor, w: Tensor) -> Tensor:
        styles = self.affine(w) * self.gain
        return modulated_conv2d(features, self.weight, styles, demodulate=False, bias=self.bias)
