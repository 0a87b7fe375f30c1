"""Pure torch specification of :func:`geoinv.ops.modulated_conv2d.modulated_conv2d`, the straightforward way.

The kernel is modulated and demodulated for each sample, one grouped convolution does the batch, and upsampling is a
transposed convolution followed by the filter.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ..bias_act.reference import bias_act_reference
from ..upfirdn2d.reference import upfirdn2d_reference


def modulated_conv2d_reference(
    features: Tensor,  # [B, C_in, H, W]
    weight: Tensor,  # [C_out, C_in, k, k]
    styles: Tensor,  # [B, C_in]
    *,
    demodulate: bool = True,
    up: bool = False,
    noise: Tensor | None = None,  # [H', W']
    bias: Tensor | None = None,  # [C_out]
    slope: float = 1.0,
    gain: float = 1.0,
    limit: float | None = None,
) -> Tensor:
    """Any dtype, device and order of gradient; [B, C_out, H', W']."""
    batch, in_channels, height, width = features.shape
    out_channels, side = weight.shape[0], weight.shape[-1]
    if batch == 0:  # no convolution has 0 groups
        return features.new_empty(0, out_channels, *(2 * n if up else n for n in (height, width)))
    kernels = weight * styles[:, None, :, None, None]  # [B, C_out, C_in, k, k]
    if demodulate:
        kernels = kernels * (kernels.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    kernels = kernels.to(features.dtype)
    groups = features.reshape(1, batch * in_channels, height, width)
    if up:
        transposed = kernels.transpose(1, 2).reshape(batch * in_channels, out_channels, side, side)
        output = F.conv_transpose2d(groups, transposed, stride=2, groups=batch)
        taps = output.new_tensor([0.25, 0.75, 0.75, 0.25])
        output = upfirdn2d_reference(output, taps, padding=(1, 1))
    else:
        output = F.conv2d(groups, kernels.flatten(0, 1), padding=side // 2, groups=batch)
    output = output.reshape(batch, out_channels, *output.shape[2:])
    # in place, because a fresh map of this size takes longer than the sum
    if noise is not None:
        output.add_(noise.to(output.dtype))
    if bias is not None:
        output.add_(bias[:, None, None].to(output.dtype))
    return bias_act_reference(output, slope=slope, gain=gain, limit=limit)
