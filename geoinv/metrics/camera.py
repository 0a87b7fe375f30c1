"""Angle between the ways that two cameras look."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import ShapeError


def rotation_angle_deg(
    cam2world: Tensor,  # [B, 4, 4]
    target: Tensor,  # [B, 4, 4]
) -> Tensor:
    """Angle of the rotation that turns one camera into the other, in degrees. [B]

    ``2 asin(|R1 - R2|_F / (2 sqrt 2))``, which unlike the arc cosine of the trace keeps its digits near zero.
    """
    if cam2world.shape != target.shape or cam2world.ndim != 3 or cam2world.shape[1:] != (4, 4):
        raise ShapeError(f"cam2world must both be [B, 4, 4], got {list(cam2world.shape)}, {list(target.shape)}")
    difference = cam2world[:, :3, :3].double() - target[:, :3, :3].double()
    chord = difference.flatten(1).norm(dim=1) / (2.0 * 2.0**0.5)
    return torch.rad2deg(2.0 * torch.asin(chord.clamp(max=1.0))).to(cam2world.dtype)
