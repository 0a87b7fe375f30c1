"""Pure torch specification of :func:`geoinv.ops.upfirdn2d.upfirdn2d`: inserted zeros are filtered like the rest."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def upfirdn2d_reference(
    features: Tensor,  # [B, C, H, W]
    taps: Tensor,  # [n]
    *,
    up: int = 1,
    down: int = 1,
    padding: tuple[int, int] = (0, 0),
) -> Tensor:
    """Any dtype, device and order of gradient; [B, C, H', W']."""
    batch, channels, height, width = features.shape
    spread = features.reshape(batch, channels, height, 1, width, 1)
    spread = F.pad(spread, (0, up - 1, 0, 0, 0, up - 1)).reshape(batch, channels, height * up, width * up)
    padded = F.pad(spread, (*padding, *padding))
    kernel = torch.outer(taps, taps).to(features.dtype).expand(channels, 1, -1, -1)
    return F.conv2d(padded, kernel, groups=channels)[..., ::down, ::down]
