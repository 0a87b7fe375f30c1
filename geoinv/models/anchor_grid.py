"""One grid of an anchor volume, filled from places on a surface.

The places are splatted into the cells around them and spread outward by a pull-push pyramid (Gortler et al., "The
Lumigraph", SIGGRAPH 1996). The distance is that of implicit moving least squares (Kolluri, "Provably Good Moving Least
Squares", SODA 2005), with its bias on curved surfaces taken out.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..camera.visibility import ramp
from ..ops.anchored_rays import is_native

_COARSEST = 8  # cells along a side of the pyramid's top
_FURTHEST = 0.3  # world units; farther from the mesh than that, distances say nothing
_LEAST_NORMAL = 0.3  # of a mean of unit normals; below it they cancel out, and a distance would explode
_OPPOSED, _ALIKE = 0.2, 0.6  # lengths of that mean where surfaces face each other, and where they do not
_PRESENT = 0.1  # weight of places in a cell through which a surface passes
_CLOSED = 0.5  # cells within the head, where two of its surfaces touch


@dataclass(frozen=True)
class Grid:
    """Cells of a box.

    Args:
        low: [3] lowest corner.
        high: [3] highest corner.
        cells: Cells along each side; a power of two, 8 at least.
    """

    low: Tensor
    high: Tensor
    cells: int

    @property
    def cell(self) -> Tensor:
        """[3] sides of a cell."""
        return (self.high - self.low) / self.cells

    def centres(self) -> Tensor:
        """[G, G, G, 3] centres of the cells, indexed by z, y, x."""
        ticks = (torch.arange(self.cells, device=self.low.device) + 0.5) / self.cells
        x, y, z = (self.low + ticks[:, None] * (self.high - self.low)).unbind(dim=-1)
        return torch.stack(torch.broadcast_tensors(x, y[:, None], z[:, None, None]), dim=-1)


def fill_grid(
    grid: Grid, places: Tensor, normals: Tensor, homes: Tensor, parts: Tensor, area: Tensor, *, push: float
) -> Tensor:
    """Displacement, signed distance, normal and part at the centres of cells.

    Args:
        grid: The cells.
        places: [B, M, 3] places on surfaces, dense enough that few cells between two of them are empty.
        normals: [B, M, 3] unit normals there.
        homes: [M, 3] the same places on the average head.
        parts: [M] a number that is averaged as well.
        area: [M] area that each stands for.
        push: Weight of a coarser grid beside what lies in a cell itself.

    Returns:
        [B, G, G, G, 8]: displacement to the average head 3, signed distance 1 (positive outside), normal 3, part 1.
        Differentiable in places and normals; native where no gradient is wanted.
    """
    # weight 1 is a cell through which the surface passes once
    weights = area / float(grid.cell.prod() ** (2 / 3))
    given = (places, normals, homes, parts, weights)
    if not (torch.is_grad_enabled() and (places.requires_grad or normals.requires_grad)) and is_native(*given):
        box = (grid.low.tolist(), grid.cell.tolist(), grid.cells)
        volume: Tensor = torch.ops.geoinv.fill_grid(*(tensor.contiguous() for tensor in given), *box, push)
        return volume
    along = (normals * places).sum(dim=-1, keepdim=True)
    part = parts[:, None].expand(len(places), -1, 1)
    rows = torch.cat([homes - places, normals, places, along, part, torch.ones_like(along)], dim=-1)
    rows = rows * weights[:, None]
    cells = (places - grid.low) / grid.cell - 0.5
    return _finished(_push_pull(_splat(cells, rows, grid.cells), push), grid)


def _splat(cells: Tensor, rows: Tensor, count: int) -> Tensor:
    """Add rows [B, M, K] to the eight cells around each place; cells [B, M, 3] are in units of cells from the first
    one's centre. Returns [B, G, G, G, K], indexed by z, y, x; what lies outside is left out."""
    cells = cells.clamp(-1.0, float(count))  # a rim of one cell takes what falls outside: it is cheaper than a test
    lowest = cells.detach().floor().clamp_max(count - 1.0)
    share = cells - lowest
    side, first = count + 2, lowest.long() + 1
    start = (first[..., 2] * side + first[..., 1]) * side + first[..., 0]  # [B, M]
    channels, offsets = rows.shape[-1], torch.arange(rows.shape[-1], device=rows.device)
    corners = torch.tensor([(z * side + y) * side + x for z in (0, 1) for y in (0, 1) for x in (0, 1)]).to(start)
    grids = []
    for head in range(len(rows)):  # one after another, as indices take more room than volumes
        x, y, z = (torch.stack([1.0 - part, part], dim=1) for part in share[head].unbind(dim=1))  # [M, 2] each
        weight = (z[:, :, None, None] * y[:, None, :, None] * x[:, None, None, :]).flatten(1)  # [M, 8]
        index = (start[head, :, None] + corners)[..., None] * channels + offsets  # [M, 8, K]
        added = weight[..., None] * rows[head, :, None]
        grid = rows.new_zeros(side**3 * channels).scatter_add(0, index.flatten(), added.flatten())
        grids.append(grid.reshape(side, side, side, channels)[1:-1, 1:-1, 1:-1])
    return torch.stack(grids)


def _push_pull(splatted: Tensor, push: float) -> Tensor:
    """Fill empty cells of [B, G, G, G, K] from coarser grids, which count ``push`` beside a cell's own."""
    levels = [splatted.permute(0, 4, 1, 2, 3)]  # channels last in memory
    while levels[-1].shape[-1] > _COARSEST:
        # a surface that passes straight through fills four cells of eight
        levels.append(F.avg_pool3d(levels[-1], 2) * 2.0)
    filled = levels.pop()
    for _ in range(filled.shape[-1]):  # as far as the other end of the box
        spread = F.avg_pool3d(F.pad(filled, (1,) * 6, mode="replicate"), 3, stride=1)
        filled = filled + push * spread
    for level in reversed(levels):
        wider = F.interpolate(filled, scale_factor=2, mode="trilinear", align_corners=False)
        filled = torch.add(level, wider, alpha=push)
    return filled.permute(0, 2, 3, 4, 1)


def _finished(summed: Tensor, grid: Grid) -> Tensor:
    """Sums [B, G, G, G, 12] -> displacement 3, signed distance 1, normal 3, part 1."""
    mean = summed[..., :-1] / summed[..., -1:].clamp_min(1e-30)
    displacement, normal, place, along, part = mean.split([3, 3, 3, 1, 1], dim=-1)
    length = normal.norm(dim=-1, keepdim=True)
    unit = normal / (length + 1e-6)
    # the mean of (x - p) . n is too small where the surface is curved, (x - mean p) . mean n too large by as much
    nearer = 0.5 * (along / length.clamp_min(_LEAST_NORMAL) + (place * unit).sum(dim=-1, keepdim=True))
    centres = grid.centres()
    distance = (centres * unit).sum(dim=-1, keepdim=True) - nearer
    # Between surfaces that face each other or away from each other the mean of normals points anywhere. Where lips
    # touch, distances were beads on a string, white as teeth: what is thinner than a cell is closed. The flesh between
    # cheek and mouth had holes; away from both, the mean of (x - p) . n is below 0 there, as it is for each.
    opposed, present = 1.0 - ramp(length, _OPPOSED, _ALIKE), (summed[..., -1:] / _PRESENT).clamp_max(1.0)
    between = torch.minimum(distance, (centres * normal).sum(dim=-1, keepdim=True) - along)
    unsure = torch.lerp(between, -_CLOSED * grid.cell.mean(), present)
    distance = torch.lerp(distance, unsure, opposed)
    return torch.cat([displacement, distance.clamp(-_FURTHEST, _FURTHEST), unit, part], dim=-1)
