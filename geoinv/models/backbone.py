"""StyleGAN2 synthesis network that paints feature planes instead of an image (EG3D, Chan et al., CVPR 2022)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ShapeError
from ..ops.upfirdn2d import upfirdn2d, upsample2
from .config import BackboneConfig
from .initial_values import normal_values
from .layers import Linear, Noise, StyledConv, ToFeatures
from .plane_warp import PlaneWarp

_BINOMIAL = (0.25, 0.5, 0.25)  # takes away all of what alternates from pixel to pixel


_BLENDED_CHANNELS = 32  # of a blended map, spread over all channels of the features


class BlendedMaps(nn.Module):
    """Learned maps in shares that w decides. They start at zero.

    A choice, as of a style of hair, has its own picture at once, which convolutions would unfold from one code.

    Args:
        config: Says how many maps, and the size of w.
        channels: Channels of the features that they are added to.
        side: Side of these features in pixels.
    """

    def __init__(self, config: BackboneConfig, channels: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.gain = config.map_gain / math.sqrt(config.blended_maps)
        self.shares = Linear(config.w_dim, config.blended_maps)
        self.maps = nn.Parameter(torch.zeros(config.blended_maps, side * side * _BLENDED_CHANNELS))
        self.spread = nn.Parameter(normal_values(channels, _BLENDED_CHANNELS))

    def forward(self, w: Tensor) -> Tensor:
        """w [B, w_dim] -> [B, channels, side, side], channels last in memory."""
        blended = (self.shares(w) * self.gain @ self.maps).unflatten(1, (self.side, self.side, _BLENDED_CHANNELS))
        return F.linear(blended, self.spread / math.sqrt(_BLENDED_CHANNELS)).permute(0, 3, 1, 2)


class SynthesisBlock(nn.Module):
    """One resolution: convolutions, and where it paints, planes from its features."""

    def __init__(self, config: BackboneConfig, index: int) -> None:
        super().__init__()
        channels, resolution = config.channels[index], 4 * 2**index
        self.map_gain = config.map_gain
        noise: Noise = "fixed" if config.painting == "skip" else "absent"
        if index == 0:
            self.const = nn.Parameter(normal_values(channels, 4, 4))
        else:
            self.conv0 = StyledConv(
                config.channels[index - 1], channels, config.w_dim, resolution, up=True, noise=noise
            )
        if config.convs_per_block[index] == 2 or index == 0:
            self.conv1 = StyledConv(channels, channels, config.w_dim, resolution, up=False, noise=noise)
        if config.painting == "subpixel":
            self.maps = nn.Parameter(torch.zeros(channels, resolution, resolution))
            if config.blended_maps and index == len(config.channels) - 1:
                self.blended = BlendedMaps(config, channels, resolution)
        if config.painting == "skip":
            self.torgb = ToFeatures(channels, config.out_channels, config.w_dim)
        elif index == len(config.channels) - 1:
            self.torgb = ToFeatures(channels, 4 * config.out_channels, config.w_dim)
            # the four sub-pixels start equal: started apart, they left stripes that took thousands of steps to fade
            with torch.no_grad():
                self.torgb.weight.copy_(self.torgb.weight[::4].repeat_interleave(4, dim=0))

    def forward(self, features: Tensor | None, ws: Tensor) -> tuple[Tensor, Tensor | None]:
        """ws: [B, convolutions + 1, w_dim]. Returns features and what is painted, if anything."""
        codes = iter(ws.unbind(dim=1))
        if features is None:
            features = self.const.expand(ws.shape[0], -1, -1, -1).contiguous(memory_format=torch.channels_last)
        else:
            features = self.conv0(features, next(codes))
        if hasattr(self, "maps"):
            features = _with_map(features, self.maps.to(features.dtype), self.map_gain)
        if hasattr(self, "blended"):
            features = features + self.blended(ws[:, 0]).to(features.dtype)
        if hasattr(self, "conv1"):
            features = self.conv1(features, next(codes))
        return features, self.torgb(features, next(codes)) if hasattr(self, "torgb") else None


def _with_map(features: Tensor, learned: Tensor, gain: float) -> Tensor:
    """features [B, C, H, W] plus gain times a learned map [C, H, W], channels last.

    In rows, as the gradient of the map is then a sum over rows: over images with channels last it takes torch 30 times
    as long, a sixth of a step of training.
    """
    channels, height, width = learned.shape
    row = learned.permute(1, 2, 0).flatten()
    summed = torch.add(features.permute(0, 2, 3, 1).flatten(1), row if gain == 1.0 else gain * row)
    added: Tensor = summed.unflatten(1, (height, width, channels)).permute(0, 3, 1, 2)
    return added


class SynthesisNetwork(nn.Module):
    """w_plus [B, num_ws, w_dim] -> [B, out_channels, R, R]."""

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.config = config
        for i in range(len(config.channels)):
            setattr(self, f"b{4 * 2**i}", SynthesisBlock(config, i))
        if config.painting == "subpixel":
            self.mean_planes = nn.Parameter(torch.zeros(config.out_channels, config.resolution, config.resolution))
        if config.warp_rank:
            self.warp = PlaneWarp(config.w_dim, config.warp_rank, config.warp_side)

    def forward(self, w_plus: Tensor) -> Tensor:
        if w_plus.ndim != 3 or w_plus.shape[1:] != (self.config.num_ws, self.config.w_dim):
            raise ShapeError(f"w_plus must be [B, {self.config.num_ws}, {self.config.w_dim}], got {list(w_plus.shape)}")
        features: Tensor | None = None
        planes: Tensor | None = None
        index = 0
        for i, num_convs in enumerate(self.config.convs_per_block):
            # the painting code of a block is the first code of the next, as in StyleGAN2
            codes = w_plus[:, index : index + num_convs + 1]
            features, painted = getattr(self, f"b{4 * 2**i}")(features, codes)
            if painted is not None:
                planes = painted.float() if planes is None else upsample2(planes) + painted.float()
            index += num_convs
        assert planes is not None
        if self.config.painting == "subpixel":
            planes = _with_map(F.pixel_shuffle(planes, 2), self.mean_planes, self.config.map_gain)
        if self.config.smooth:
            planes = upfirdn2d(planes, torch.tensor(_BINOMIAL, device=planes.device), padding=(1, 1))
        return self.warp(planes, w_plus) if self.config.warp_rank else planes
