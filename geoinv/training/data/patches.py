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
    """

    index: Tensor
    corners: list[tuple[int, int]]
    side: int

    def rays(self, values: Tensor) -> Tensor:
        """Pick the patch's rays: values [B, S * S] or [B, S * S, F] of the grid -> [B, side * side (, F)]."""
        index = self.index if values.ndim == 2 else self.index[..., None].expand(-1, -1, values.shape[-1])
        return values.gather(1, index)

    def pixels(self, pictures: Tensor) -> Tensor:
        """Pick the patch's pixels: pictures [B, C, 2S, 2S] -> [B, C, 2 * side, 2 * side]."""
        size = 2 * self.side
        cut = [
            picture[:, 2 * top : 2 * top + size, 2 * left : 2 * left + size]
            for picture, (top, left) in zip(pictures, self.corners, strict=True)
        ]
        return torch.stack(cut)


def patches_on(mask: Tensor, side: int, rng: np.random.Generator) -> Patches:
    """Patches about random pixels of masks [B, 1, 2S, 2S] in {0, 1}; in the middle where a mask is empty."""
    grid = mask.shape[-1] // 2
    useful = F.max_pool2d(mask, 2)[:, 0] > 0.5
    corners = []
    for wanted in useful.cpu().numpy():
        rows, columns = np.nonzero(wanted)
        pick = int(rng.integers(len(rows))) if len(rows) else 0
        centre = (int(rows[pick]), int(columns[pick])) if len(rows) else (grid // 2, grid // 2)
        top, left = (min(max(position - side // 2, 0), grid - side) for position in centre)
        corners.append((top, left))
    return _patches_at(corners, side, grid, mask.device)


def middle_patches(count: int, side: int, grid: int, device: torch.device) -> Patches:
    """Patches in the middle of ``count`` pictures."""
    return _patches_at([((grid - side) // 2,) * 2] * count, side, grid, device)


def _patches_at(corners: list[tuple[int, int]], side: int, grid: int, device: torch.device) -> Patches:
    places = [
        (torch.arange(top, top + side)[:, None] * grid + torch.arange(left, left + side)).flatten()
        for top, left in corners
    ]
    return Patches(torch.stack(places).to(device), corners, side)
