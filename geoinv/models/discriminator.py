"""A discriminator of pictures that knows from where they should be seen.

StyleGAN2's residual network (Karras et al., CVPR 2020) with the spread of the minibatch (Karras et al., ICLR 2018),
small enough for a CPU. The camera label enters by projection on the picture's features (Miyato and Koyama, ICLR 2018)
after a mapping network, as EG3D (Chan et al., CVPR 2022) conditions its discriminator. The projection starts at zero:
what is wrong with a picture is learned first, and what is wrong with it for that camera on top.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ShapeError
from ..ops.upfirdn2d import upfirdn2d
from .discriminator_config import DiscriminatorConfig
from .initial_values import normal_values
from .layers import Linear, scaled_lrelu

_LOW_PASS = (0.125, 0.375, 0.375, 0.125)  # [1, 3, 3, 1], which keeps the mean


class Discriminator(nn.Module):
    """image [B, 3, R, R] in [-1, 1], over grey where it has alpha; label [B, label_dim] -> logits [B], high for real.

    Deterministic. Pictures of a batch touch each other through the spread of their features alone, in groups of
    ``std_group``, or of fewer where that does not divide the batch; a group is every so manieth picture.
    """

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.from_rgb = _Conv(3, config.channels[0], kernel=1)
        pairs = zip(config.channels[:-1], config.channels[1:], strict=True)
        self.blocks = nn.Sequential(*(_Block(wide, narrow) for wide, narrow in pairs))
        last = config.channels[-1]
        self.last = _Conv(last + 1, last, kernel=3)
        self.features = Linear(last * 16, config.hidden)
        self.score = Linear(config.hidden, 1)
        self.label = nn.ModuleList(
            [Linear(config.label_dim, config.label_hidden), Linear(config.label_hidden, config.label_hidden)]
        )
        self.projection = Linear(config.label_hidden, config.hidden)
        nn.init.zeros_(self.projection.weight)

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        side = self.config.resolution
        if image.ndim != 4 or image.shape[1:] != (3, side, side):
            raise ShapeError(f"image must be [B, 3, {side}, {side}], got {list(image.shape)}")
        if label.shape != (image.shape[0], self.config.label_dim):
            raise ShapeError(f"label must be [{image.shape[0]}, {self.config.label_dim}], got {list(label.shape)}")
        maps = scaled_lrelu(self.from_rgb(image.contiguous(memory_format=torch.channels_last)))
        maps = self.blocks(maps)  # [B, C, 4, 4]
        maps = torch.cat([maps, _spread(maps, self.config.std_group)], dim=1)
        maps = scaled_lrelu(self.last(maps))
        features = scaled_lrelu(self.features(maps.flatten(1)))  # [B, hidden]
        for layer in self.label:
            label = scaled_lrelu(layer(label))
        asked = (features * self.projection(label)).sum(dim=1) / math.sqrt(self.config.hidden)
        scores: Tensor = self.score(features)[:, 0] + asked
        return scores


class _Conv(nn.Module):
    """Convolution with StyleGAN2's equalised learning rate; ``halve`` filters and keeps every second pixel."""

    taps: Tensor

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel: int, halve: bool = False, bias: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(normal_values(out_channels, in_channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.gain = 1.0 / math.sqrt(in_channels * kernel * kernel)
        self.halve = halve
        self.register_buffer("taps", torch.tensor(_LOW_PASS), persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        weight = self.weight * self.gain
        kernel = weight.shape[-1]
        if not self.halve:
            return F.conv2d(maps, weight, self.bias, padding=kernel // 2)
        if kernel == 1:
            return F.conv2d(upfirdn2d(maps, self.taps, down=2, padding=(1, 1)), weight, self.bias)
        return F.conv2d(upfirdn2d(maps, self.taps, padding=(2, 2)), weight, self.bias, stride=2)


class _Block(nn.Module):
    """Two 3x3 convolutions, the second to half the side, about a shortcut."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv0 = _Conv(in_channels, in_channels, kernel=3)
        self.conv1 = _Conv(in_channels, out_channels, kernel=3, halve=True)
        self.shortcut = _Conv(in_channels, out_channels, kernel=1, halve=True, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        inner = scaled_lrelu(self.conv1(scaled_lrelu(self.conv0(maps))))
        result: Tensor = (inner + self.shortcut(maps)) * math.sqrt(0.5)
        return result


def _spread(maps: Tensor, group: int) -> Tensor:
    """[B, C, H, W] -> [B, 1, H, W]: the standard deviation of the features over a group, averaged."""
    batch, _, height, width = maps.shape
    group = next(size for size in range(min(group, batch), 0, -1) if batch % size == 0)
    grouped = maps.reshape(group, batch // group, *maps.shape[1:])
    deviation = (grouped.var(dim=0, unbiased=False) + 1e-8).sqrt()  # [B / group, C, H, W]
    mean = deviation.mean(dim=(1, 2, 3))  # [B / group]
    return mean.repeat(group)[:, None, None, None].expand(batch, 1, height, width)
