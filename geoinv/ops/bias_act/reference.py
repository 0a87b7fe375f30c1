"""Pure torch specification of :func:`geoinv.ops.bias_act.bias_act`."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def bias_act_reference(
    features: Tensor,  # [B, C, H, W]
    bias: Tensor | None = None,  # [C]
    *,
    scale: Tensor | None = None,  # [B, C]
    noise: Tensor | None = None,  # [H, W]
    slope: float = 1.0,
    gain: float = 1.0,
    limit: float | None = None,
) -> Tensor:
    """Any dtype, device and order of gradient; [B, C, H, W]."""
    output = features
    if scale is not None:
        output = output * scale[:, :, None, None].to(output.dtype)
    if noise is not None:
        output = output + noise.to(output.dtype)
    if bias is not None:
        output = output + bias[:, None, None].to(output.dtype)
    if slope != 1.0:
        output = F.leaky_relu(output, slope)
    if gain != 1.0:
        output = output * gain
    return output if limit is None else output.clamp(-limit, limit)
