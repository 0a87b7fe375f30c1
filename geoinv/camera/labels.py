"""EG3D's 25 numbers for a camera: cam2world row by row, then the intrinsics row by row."""

from __future__ import annotations

import torch
from torch import Tensor

from ..conventions import FOCAL
from ..errors import ShapeError


def intrinsics(focal: float = FOCAL) -> Tensor:
    """[3, 3] pinhole matrix normalised by image size."""
    return torch.tensor([[focal, 0.0, 0.5], [0.0, focal, 0.5], [0.0, 0.0, 1.0]])


def to_label(cam2world: Tensor, intrinsics: Tensor) -> Tensor:
    """EG3D's 25 numbers: [B, 4, 4] and [3, 3] -> [B, 25]."""
    batch = cam2world.shape[0]
    return torch.cat([cam2world.reshape(batch, 16), intrinsics.reshape(1, 9).expand(batch, 9)], dim=1)


def from_label(label: Tensor) -> tuple[Tensor, Tensor]:
    """EG3D's 25 numbers [B, 25] -> cam2world [B, 4, 4], intrinsics [B, 3, 3]."""
    if label.ndim != 2 or label.shape[1] != 25:
        raise ShapeError(f"label must be [B, 25], got {list(label.shape)}")
    return label[:, :16].reshape(-1, 4, 4), label[:, 16:].reshape(-1, 3, 3)
