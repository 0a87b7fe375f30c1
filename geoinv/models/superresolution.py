"""From the rendered feature image to the final picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ops.upfirdn2d import upsample2
from .layers import StyledConv, ToFeatures


class ResidualSuperresolution(nn.Module):
    """Twice the side: bilinear colour and alpha plus a learned residual from the features (sub-pixel convolution).

    It reads the picture only, not w: detail that depends on the head is in the features already.
    """

    def __init__(self, feature_channels: int, hidden: int = 32) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(feature_channels + 1, hidden, 3, padding=1, padding_mode="replicate"),
            nn.LeakyReLU(0.2),
            nn.Conv2d(hidden, hidden, 3, padding=1, padding_mode="replicate"),
            nn.LeakyReLU(0.2),
        )
        self.head = nn.Conv2d(hidden, 16, 3, padding=1, padding_mode="replicate")  # 4 sub-pixels of RGB and alpha
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    def forward(self, features: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """features [B, F, R, R] premultiplied, alpha [B, 1, R, R] -> colour [B, 3, 2R, 2R], alpha [B, 1, 2R, 2R]."""
        # channels-last takes the convolutions of so few channels half the time
        inputs = torch.cat([features, alpha], dim=1).contiguous(memory_format=torch.channels_last)
        residual = F.pixel_shuffle(self.head(self.body(inputs)), 2)
        base = F.interpolate(
            torch.cat([features[:, :3], alpha], dim=1), scale_factor=2, mode="bilinear", align_corners=False
        )
        output = base + residual
        final_alpha = output[:, 3:].clamp(0.0, 1.0)
        return torch.minimum(output[:, :3].clamp_min(0.0), final_alpha), final_alpha


class HybridSuperresolution(nn.Module):
    """EG3D's 8x module for FFHQ 512: two StyleGAN2 blocks on the 128 px feature image, fed the last w.

    Source: EG3D (Chan et al., CVPR 2022), supplement; parameter names as in its released weights.
    """

    def __init__(self, feature_channels: int, w_dim: int) -> None:
        super().__init__()
        self.block0 = _SuperresolutionBlock(feature_channels, 256, w_dim, 256)
        self.block1 = _SuperresolutionBlock(256, 128, w_dim, 512)

    def forward(self, image: Tensor, features: Tensor, w: Tensor) -> Tensor:
        """image [B, 3, 128, 128] in [-1, 1], features [B, F, 128, 128], w [B, w_dim] -> [B, 3, 512, 512].

        Without gradients it goes view by view: the maps of one take 270 MB, and more at once gain nothing.
        """
        if image.shape[0] > 1 and not torch.is_grad_enabled():
            views = zip(image.split(1), features.split(1), w.split(1), strict=True)
            return torch.cat([self(*view) for view in views])
        if features.shape[-1] < 128:
            image, features = (
                F.interpolate(x, size=(128, 128), mode="bilinear", align_corners=False, antialias=True)
                for x in (image, features)
            )
        features, image = self.block0(features, image, w)
        return self.block1(features, image, w)[1]


class _SuperresolutionBlock(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, w_dim: int, resolution: int) -> None:
        super().__init__()
        self.conv0 = StyledConv(in_channels, out_channels, w_dim, resolution, up=True, noise="unused")
        self.conv1 = StyledConv(out_channels, out_channels, w_dim, resolution, up=False, noise="unused")
        self.torgb = ToFeatures(out_channels, 3, w_dim)

    def forward(self, features: Tensor, image: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        features = self.conv1(self.conv0(features, w), w)
        return features, upsample2(image) + self.torgb(features, w).float()
