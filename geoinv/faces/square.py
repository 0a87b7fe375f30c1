"""The part of an aligned crop that the face networks see, so that no more than it is rendered for them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..camera import pixel_centres
from .networks import FACE_BOX

FACE_SIDE = 40
"""Pixels across the square; networks enlarge it to 150, and gain little from more."""

_LEFT, _TOP, _FRACTION = FACE_BOX
_WHOLE = round(FACE_SIDE / _FRACTION)  # of the crop, in the same pixels
_MARGIN_LEFT, _MARGIN_TOP = round(_LEFT * _WHOLE), round(_TOP * _WHOLE)


def face_positions(device: torch.device | None = None) -> Tensor:
    """[FACE_SIDE ** 2, 2] normalised (x, y) of the square's pixel centres in the crop, row by row."""
    whole = pixel_centres(_WHOLE, device).reshape(_WHOLE, _WHOLE, 2)
    rows, columns = slice(_MARGIN_TOP, _MARGIN_TOP + FACE_SIDE), slice(_MARGIN_LEFT, _MARGIN_LEFT + FACE_SIDE)
    return whole[rows, columns].reshape(-1, 2)


def face_square(pictures: Tensor) -> Tensor:
    """The square [B, 3, FACE_SIDE, FACE_SIDE] of aligned crops [B, 3, H, W]."""
    positions = face_positions(pictures.device).reshape(1, FACE_SIDE, FACE_SIDE, 2) * 2.0 - 1.0
    grid = positions.expand(pictures.shape[0], -1, -1, -1)
    return functional.grid_sample(pictures, grid, align_corners=False, padding_mode="border")


def crop_about(square: Tensor) -> Tensor:
    """A crop [B, 3, H, H] with the square in its place and black about it, for networks that cut the square out."""
    right, bottom = _WHOLE - FACE_SIDE - _MARGIN_LEFT, _WHOLE - FACE_SIDE - _MARGIN_TOP
    return functional.pad(square, (_MARGIN_LEFT, right, _MARGIN_TOP, bottom))
