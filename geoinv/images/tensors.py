"""Pictures as tensors: at another side."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def at_side(images: Tensor, side: int) -> Tensor:
    """[B, C, H, H] at another side: pixel areas averaged on the way down, bilinear on the way up."""
    if images.shape[-1] == side:
        return images
    if images.shape[-1] > side:
        return functional.interpolate(images, (side, side), mode="area")
    return functional.interpolate(images, (side, side), mode="bilinear", align_corners=False)
