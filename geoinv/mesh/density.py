"""The density grid of a head: sampled coarse to fine, with floaters and hollows removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ..conventions import BOX_SIDE
from ..errors import GeoinvError
from ..progress import OnFraction

if TYPE_CHECKING:
    from ..heads import Head

_COARSE_STEP = 4  # fine cells along a side of a coarse one
# Where a bust can be: (centre, radii) of ellipsoids about head with hair, and about the shoulders, in world units.
_BUST = (((0.0, 0.04, 0.02), (0.42, 0.46, 0.37)), ((0.0, -0.43, -0.06), (0.48, 0.33, 0.27)))
_CHUNK = 1 << 17  # points a query


def density_grid(
    head: Head,
    resolution: int,
    *,
    level: float,
    box_side: float = BOX_SIDE,
    on_progress: OnFraction | None = None,
) -> NDArray[np.float32]:
    """Density [n, n, n] (x, y, z) at the corners of a grid over the box, n = resolution + 1 rounded up to whole cells.

    A grid of a quarter of the resolution is sampled first; only near its surface is the full one, and elsewhere the
    coarse values are interpolated, which decide nothing but inside or outside.
    """
    cells = -(-resolution // _COARSE_STEP)
    coarse = _sample(head, _corner_positions(cells) * box_side, on_progress=None).reshape((cells + 1,) * 3)
    fine_cells = cells * _COARSE_STEP
    dense = _upsampled(coarse, fine_cells + 1)
    near = np.flatnonzero(_near_surface(coarse, level, fine_cells + 1))
    index = np.stack(np.unravel_index(near, dense.shape), axis=1)
    positions = (index / fine_cells - 0.5) * box_side
    dense.reshape(-1)[near] = _sample(head, positions.astype(np.float32), on_progress)
    return dense


def within_bust(density: NDArray[np.float32]) -> NDArray[np.float32]:
    """The density [n, n, n] (x, y, z) over the box with zeros where no bust can be.

    Generators see heads from the front and the sides: what they put behind the head and in the corners of the box is
    noise or background, and would hang on the mesh.
    """
    ticks = np.linspace(-0.5 * BOX_SIDE, 0.5 * BOX_SIDE, len(density))
    inside = np.zeros(density.shape, dtype=bool)
    for centre, radii in _BUST:
        x, y, z = (((ticks - c) / r) ** 2 for c, r in zip(centre, radii, strict=True))
        inside |= x[:, None, None] + y[None, :, None] + z[None, None, :] < 1.0
    return np.where(inside, density, np.float32(0.0))


def solid_head(density: NDArray[np.float32], level: float) -> NDArray[np.float32]:
    """The density with everything but one solid head removed.

    Only the largest connected piece stays. What it encloses is filled: closed hollows, and what a horizontal slice
    encloses, so that a head that was learned as a shell does not come out as an open cup at the neck.

    Raises:
        GeoinvError: Nothing in the grid is solid.
    """
    from scipy import ndimage

    solid = density > level
    labels, count = ndimage.label(solid)
    if count == 0:
        raise GeoinvError("the density holds no surface", "the model or the inversion is broken; try another photo")
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    head = labels == sizes.argmax()
    filled = ndimage.binary_fill_holes(head)
    for height in range(filled.shape[1]):
        filled[:, height] = ndimage.binary_fill_holes(filled[:, height])
    result = np.where(solid & ~filled, np.float32(0.0), density)
    return np.where(filled & (result <= level), np.float32(2.0 * level), result)


def _sample(head: Head, positions: NDArray[np.float32], on_progress: OnFraction | None) -> NDArray[np.float32]:
    """Density at [N, 3] positions, in chunks."""
    values = np.empty(len(positions), dtype=np.float32)
    with torch.no_grad():
        for start in range(0, len(positions), _CHUNK):
            part = torch.from_numpy(positions[start : start + _CHUNK])
            values[start : start + _CHUNK] = head.query(part[None])[0][0].float().cpu().numpy()
            if on_progress is not None:
                on_progress(min(start + _CHUNK, len(positions)) / len(positions))
    return values


def _corner_positions(cells: int) -> NDArray[np.float32]:
    """[(cells + 1)^3, 3] positions of grid corners over a box of side 1, z fastest."""
    ticks = np.arange(cells + 1) / cells - 0.5
    grid = np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), axis=-1)
    return grid.reshape(-1, 3).astype(np.float32)


def _upsampled(coarse: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Trilinear, corners on corners."""
    volume = torch.from_numpy(coarse)[None, None]
    fine = torch.nn.functional.interpolate(volume, (side,) * 3, mode="trilinear", align_corners=True)
    return np.ascontiguousarray(fine[0, 0].numpy())


def _near_surface(coarse: NDArray[np.float32], level: float, side: int) -> NDArray[np.bool_]:
    """Fine corners in or next to a coarse cell that the surface crosses."""
    from scipy import ndimage

    solid = coarse > level
    crossed = ndimage.maximum_filter(solid, size=3) & ~ndimage.minimum_filter(solid, size=3)
    crossed = ndimage.binary_dilation(crossed)
    nearest = np.round(np.linspace(0, len(coarse) - 1, side)).astype(np.int64)
    return np.asarray(crossed[np.ix_(nearest, nearest, nearest)])
