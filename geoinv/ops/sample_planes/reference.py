"""Pure torch specification of :func:`geoinv.ops.sample_planes.sample_planes`."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

ThirdPlane = Literal["zx", "zy"]


def sample_planes_reference(planes: Tensor, points: Tensor, *, box_side: float, third_plane: ThirdPlane) -> Tensor:
    """planes [B, 3, C, R, R], points [B, N, 3] -> [B, N, C]; any dtype, device and order of gradient.

    Second order needs a torch that can derive ``grid_sample`` twice: 2.4, the oldest that geoinv takes, cannot.
    """
    batch, _, channels, side, _ = planes.shape
    outside = points.nan_to_num(nan=2.0 * box_side, posinf=math.inf, neginf=-math.inf)  # not a number is outside
    x, y, z = (outside * (2.0 / box_side)).unbind(dim=-1)
    third = (z, x) if third_plane == "zx" else (z, y)
    columns_rows = torch.stack(
        [torch.stack(pair, dim=-1) for pair in ((x, y), (x, z), third)], dim=1
    )  # [B, 3, N, 2] in [-1, 1] inside of the box
    if points.shape[1] == 0:
        return planes.new_zeros(batch, 0, channels)
    sampled = F.grid_sample(
        planes.reshape(batch * 3, channels, side, side),
        columns_rows.reshape(batch * 3, 1, -1, 2).to(planes.dtype),
        mode="bilinear",
        padding_mode="zeros",
        align_corners=False,
    )  # [B * 3, C, 1, N]
    return sampled.reshape(batch, 3, channels, -1).mean(dim=1).transpose(1, 2)
