"""Weight-modulated convolution of StyleGAN2 (Karras et al., CVPR 2020, section 2.2).

Modulating the weights by a style is the same as scaling the input channels by it, and demodulating is a scale of the
output channels. Done on activations, one dense convolution serves the whole batch instead of one group a sample.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .resample import blur_after_transpose


def modulated_conv2d(
    features: Tensor,  # [B, C_in, H, W]
    weight: Tensor,  # [C_out, C_in, k, k]
    styles: Tensor,  # [B, C_in]
    *,
    demodulate: bool = True,
    up: bool = False,
) -> Tensor:
    """y = d * conv(s * x), d = 1 / sqrt(sum over C_in, k, k of (s * weight)^2 + 1e-8) where demodulated.

    Args:
        features: Input maps.
        weight: Shared kernel; ``k`` odd.
        styles: Scale of each input channel.
        demodulate: Whether to normalise each output channel to unit expected variance.
        up: Double the resolution by a stride-2 transposed convolution and the [1, 3, 3, 1] filter.

    Returns:
        [B, C_out, H, W], or [B, C_out, 2H, 2W] with ``up``.
    """
    scaled = features * styles[:, :, None, None].to(features.dtype)
    kernel = weight.to(features.dtype)
    if up:
        output = blur_after_transpose(F.conv_transpose2d(scaled, kernel.transpose(0, 1), stride=2))
    else:
        output = F.conv2d(scaled, kernel, padding=weight.shape[-1] // 2)
    if demodulate:
        energy = styles.float().square() @ weight.float().square().sum(dim=(2, 3)).T  # [B, C_out]
        output = output * torch.rsqrt(energy + 1e-8)[:, :, None, None].to(output.dtype)
    return output
