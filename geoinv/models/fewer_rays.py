"""Pictures of rays of which most are not traced: between neighbours that see much the same, what they see is too."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..ops.render_rays import RayOutput

Trace = Callable[[Tensor, Tensor], RayOutput]
"""Origins and directions of rays [1, N, 3] -> what they see."""

_ALIKE, _ALIKE_ALPHA, _ALIKE_DISTANCE = (0.1, 0.1, 0.1, 0.1, 0.3, 0.3, 0.3), 0.08, 0.012
"""Second differences between every second ray, along rows and columns, up to which a surface counts as smooth: of
albedo, gloss and normal, of alpha, and of distance in world units (4.4 mm). In eight views of four heads, 55 dB or more
lie between such pictures and those with all rays traced, and no pixel's albedo is off by more than 0.05; other places
of the samples along rays make more of a difference. Views of 256 x 256 rays take half to six tenths of the time."""


def traced_where_needed(trace: Trace, origins: Tensor, directions: Tensor) -> RayOutput:
    """What grids of rays see: every second one along rows and columns is traced, and all where what these see bends.

    Args:
        trace: Traces rays of one head.
        origins: [V, S, S, 3] of V views with S x S rays; of an odd number along a side all are traced.
        directions: [V, S, S, 3] unit vectors.

    Returns:
        Of [1, V * S * S] rays, without weights. There are no gradients.
    """
    views, side = origins.shape[:2]
    if side % 2:
        return trace(origins.reshape(1, -1, 3), directions.reshape(1, -1, 3))
    few = side // 2
    first = trace(*(part[:, ::2, ::2].reshape(1, -1, 3) for part in (origins, directions)))
    maps = _rows(first).reshape(views, few, few, -1).permute(0, 3, 1, 2)
    seen = between(maps, side).permute(0, 2, 3, 1).flatten(0, 2)  # [V * S * S, F + 2]
    squares = _is_rough(maps)[:, :, None, :, None].repeat(1, 1, 2, 1, 2)
    squares[:, :, 0, :, 0] = False  # these were traced
    rest = squares.flatten().nonzero()[:, 0]
    seen[rest] = _rows(trace(*(part.reshape(-1, 3)[rest][None] for part in (origins, directions))))
    features, alpha, distance = seen[None, :, :-2], seen[None, :, -2], seen[None, :, -1]
    return RayOutput(features, alpha, distance, weights=alpha.new_empty(*alpha.shape, 0))


def between(maps: Tensor, side: int) -> Tensor:
    """Maps [V, C, n, n] of every (side / n)-th pixel, the first included, at all pixels: bilinear."""
    few = maps.shape[-1]
    step = side // few
    known = step * (few - 1) + 1  # pixels from the first to the last that is given; beyond, the last one's
    maps = F.interpolate(maps, (known, known), mode="bilinear", align_corners=True)
    return F.pad(maps, (0, side - known, 0, side - known), mode="replicate")


def _rows(seen: RayOutput) -> Tensor:
    """[N, F + 2] features, alpha and distance of rays [1, N]."""
    return torch.cat([seen.features[0], seen.alpha[0, :, None], seen.distance[0, :, None]], dim=1)


def _is_rough(maps: Tensor) -> Tensor:
    """[V, n, n] of squares between four rays of maps [V, F + 2, n, n], named by the first of them: whether what is seen
    bends at one of the four. Those after the last rays are rough, as nothing is known beyond."""
    limits = maps.new_tensor([*_ALIKE, _ALIKE_ALPHA, _ALIKE_DISTANCE])[:, None, None]
    padded = F.pad(maps, (1, 1, 1, 1), mode="replicate")
    along_rows = padded[..., 1:-1, 2:] - 2.0 * maps + padded[..., 1:-1, :-2]
    along_columns = padded[..., 2:, 1:-1] - 2.0 * maps + padded[..., :-2, 1:-1]
    bends = (torch.maximum(along_rows.abs(), along_columns.abs()) > limits).any(dim=1, keepdim=True)
    return F.max_pool2d(F.pad(bends.float(), (0, 1, 0, 1), value=1.0), 2, stride=1)[:, 0] > 0.0
