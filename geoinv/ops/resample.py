"""Resampling of feature maps with StyleGAN2's [1, 3, 3, 1] low-pass filter (Karras et al., CVPR 2020, section 4).

The filter is symmetric and separable. Upsampling by two with it is bilinear interpolation at half-pixel offsets over a
zero border; nothing is multiplied by inserted zeros.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def upsample2(image: Tensor) -> Tensor:
    """Double the side of ``image`` [B, C, H, W] -> [B, C, 2H, 2W], as zero insertion and the filter at gain 4 do."""
    padded = F.pad(image, (1, 1, 1, 1))
    doubled = F.interpolate(padded, scale_factor=2, mode="bilinear", align_corners=False)
    return doubled[..., 2:-2, 2:-2]


def blur_after_transpose(features: Tensor) -> Tensor:
    """Filter the [B, C, 2H + 1, 2W + 1] output of a stride-2 transposed convolution -> [B, C, 2H, 2W], gain 4."""
    channels = features.shape[1]
    tap = torch.tensor([0.25, 0.75, 0.75, 0.25], dtype=features.dtype, device=features.device)
    kernel = (tap[:, None] * tap[None, :]).expand(channels, 1, 4, 4)
    return F.conv2d(features, kernel, padding=1, groups=channels)
