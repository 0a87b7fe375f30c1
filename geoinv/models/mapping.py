"""Mapping network z -> w (StyleGAN2; with EG3D's label conditioning)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import ShapeError
from .config import MappingConfig
from .layers import Linear, scaled_lrelu


def _normalise_second_moment(x: Tensor) -> Tensor:
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


class MappingNetwork(nn.Module):
    """z [B, z_dim], label [B, label_dim] or None -> w [B, w_dim]."""

    w_avg: Tensor  # [w_dim] running mean of w, the centre of truncation and of the encoder's offsets

    def __init__(self, config: MappingConfig) -> None:
        super().__init__()
        self.config = config
        one_hot = sum(stop - start for start, stop, _ in config.categories)
        width = config.z_dim + one_hot + len(config.switches) + len(config.ramps)
        if config.label_dim:
            self.embed = Linear(config.label_dim, config.w_dim)
            width += config.w_dim
        if config.shortcut:
            self.shortcut = Linear(width, config.w_dim)
        for i in range(config.layers):
            out = config.w_dim if i == config.layers - 1 else config.hidden
            setattr(self, f"fc{i}", Linear(width, out, lr_multiplier=config.lr_multiplier))
            width = out
        self.register_buffer("w_avg", torch.zeros(config.w_dim))

    def features(self, z: Tensor) -> Tensor:
        """z with its discrete choices and thresholds spelt out, [B, z_dim + one-hots + switches + ramps]."""
        parts = [z]
        for start, stop, biases in self.config.categories:
            scores = z[:, start:stop] + torch.tensor(biases, dtype=z.dtype, device=z.device)
            parts.append(nn.functional.one_hot(scores.argmax(dim=1), stop - start).to(z.dtype) * 2.0)
        for index, threshold in self.config.switches:
            parts.append((z[:, index : index + 1] > threshold).to(z.dtype) * 2.0)
        for index, threshold in self.config.ramps:
            parts.append((z[:, index : index + 1] - threshold).clamp_min(0.0) * 2.0)
        return torch.cat(parts, dim=1)

    def _scaled(self, label: Tensor | None, batch: int) -> Tensor:
        """[B, label_dim] as the network was trained with it."""
        if self.config.label_scale == 0.0:
            return torch.zeros(batch, self.config.label_dim, device=self.w_avg.device)
        if label is None or label.shape != (batch, self.config.label_dim):
            given = "none" if label is None else list(label.shape)
            raise ShapeError(f"this generator wants a label [{batch}, {self.config.label_dim}], got {given}")
        return label * self.config.label_scale

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        if z.ndim != 2 or z.shape[1] != self.config.z_dim:
            raise ShapeError(f"z must be [B, {self.config.z_dim}], got {list(z.shape)}")
        x = _normalise_second_moment(z) if self.config.normalise_z else self.features(z)
        if self.config.label_dim:
            x = torch.cat([x, _normalise_second_moment(self.embed(self._scaled(label, len(z))))], dim=1)
        w = x
        for i in range(self.config.layers):
            w = scaled_lrelu(getattr(self, f"fc{i}")(w))
        return w + self.shortcut(x) if self.config.shortcut else w
