"""Pictures as tensors: from bytes, at another side, over grey. Colours lie in [0, 1], but at the mouths of networks."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

GREY = 0.5
"""Background of heads before they are compared, in [0, 1], so that transparency costs."""


def photo_tensor(photo: NDArray[np.uint8]) -> Tensor:
    """RGB uint8 [H, W, 3] -> [1, 3, H, W] in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(photo)).permute(2, 0, 1)[None].float() / 255.0


def mask_tensor(mask: NDArray[np.bool_]) -> Tensor:
    """[H, W] -> [1, 1, H, W] float, 1 where it is True."""
    return torch.from_numpy(mask)[None, None].float()


def photo_bytes(picture: Tensor) -> NDArray[np.uint8]:
    """[1, 3, H, W] in [0, 1] -> RGB uint8 [H, W, 3], rounded: the inverse of :func:`photo_tensor`."""
    pixels = (picture[0].detach().float().cpu().permute(1, 2, 0).clamp(0.0, 1.0) * 255.0).round().byte()
    return np.ascontiguousarray(pixels.numpy())


def at_side(images: Tensor, side: int) -> Tensor:
    """[B, C, H, H] at another side: pixel areas averaged on the way down, bilinear on the way up."""
    if images.shape[-1] == side:
        return images
    if images.shape[-1] > side:
        return functional.interpolate(images, (side, side), mode="area")
    return functional.interpolate(images, (side, side), mode="bilinear", align_corners=False)


def wholly(mask: Tensor, side: int) -> Tensor:
    """[B, 1, side, side] 1 where a mask [B, 1, H, H] is 1 all over the pixel, else 0."""
    return (at_side(mask.float(), side) > 0.999).float()
