"""Patches: squares of the ray grid, one in each picture of a batch, small enough to be rendered with gradients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Patches:
    """A square of the ray grid, the same side everywhere, in each picture of a batch.

    Args:
        index: [B, side * side] numbers of the patch's rays in the grid, row by row.
        corners: Top row and left column of each patch in the grid.
        side: Rays along a side.
        enlargement: Pixels of pictures along each ray.
    """

    index: Tensor
    corners: list[tuple[int, int]]
    side: int
    enlargement: int = 2

    def rays(self, values: Tensor) -> Tensor:
        """Pick the patch's rays: values [B, S * S] or [B, S * S, F] of the grid -> [B, side * side (, F)]."""
        index = self.index if values.ndim == 2 else self.index[..., None].expand(-1, -1, values.shape[-1])
        return values.gather(1, index)

    def pixels(self, pictures: Tensor) -> Tensor:
        """Pick the patch's pixels: pictures [B, C, E S, E S] -> [B, C, E side, E side]; E is ``enlargement``."""
        times = self.enlargement
        size = times * self.side
        cut = [
            picture[:, times * top : times * top + size, times * left : times * left + size]
            for picture, (top, left) in zip(pictures, self.corners, strict=True)
        ]
        return torch.stack(cut)


def patches_on(mask: Tensor, side: int, rng: np.random.Generator, *, enlargement: int = 2) -> Patches:
    """Patches about random pixels of masks [B, 1, E S, E S] in {0, 1}; in the middle where a mask is empty."""
    grid = mask.shape[-1] // enlargement
    useful = F.max_pool2d(mask, enlargement)[:, 0] > 0.5
    corners = []
    for wanted in useful.cpu().numpy():
        rows, columns = np.nonzero(wanted)
        pick = int(rng.integers(len(rows))) if len(rows) else 0
        centre = (int(rows[pick]), int(columns[pick])) if len(rows) else (grid // 2, grid // 2)
        top, left = (min(max(position - side // 2, 0), grid - side) for position in centre)
        corners.append((top, left))
    return _patches_at(corners, side, grid, mask.device, enlargement)


def middle_patches(count: int, side: int, grid: int, device: torch.device, *, enlargement: int = 2) -> Patches:
    """Patches in the middle of ``count`` pictures."""
    return _patches_at([((grid - side) // 2,) * 2] * count, side, grid, device, enlargement)


def _patches_at(
    corners: list[tuple[int, int]], side: int, grid: int, device: torch.device, enlargement: int
) -> Patches:
    places = [
        (torch.arange(top, top + side)[:, None] * grid + torch.arange(left, left + side)).flatten()
        for top, left in corners
    ]
    return Patches(torch.stack(places).to(device), corners, side, enlargement)
