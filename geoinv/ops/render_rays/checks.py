"""Whether the native rays can serve, and the shapes of what they get."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from ...errors import ShapeError
from .._build import takes_floats
from .._compile import Operation

OPERATION = Operation("render_rays", tuple(sorted(Path(__file__).parent.glob("*.cpp"))), portable=True)

BEST_INSTRUCTIONS = -1  # 0, 1 and 2 are at most generic, AVX2 and AVX-512


def is_native(*tensors: Tensor | None) -> bool:
    """Whether the kernels are built (once, here) and take these tensors."""
    return takes_floats(OPERATION, *tensors)


def check_film(film: Tensor | None, origins: Tensor, hidden_units: int) -> None:
    """Raise ShapeError unless there is no film, or one [B, N, 2 H] for rays [B, N, 3]."""
    batch, rays = origins.shape[:2]
    if film is not None and film.shape != (batch, rays, 2 * hidden_units):
        raise ShapeError(f"film must be [{batch}, {rays}, {2 * hidden_units}], got {list(film.shape)}")


def check_distances(distances: Tensor, origins: Tensor) -> None:
    """Raise ShapeError unless there are distances [B, N, S] of samples for rays [B, N, 3]."""
    if distances.ndim != 3 or distances.shape[:2] != origins.shape[:2] or distances.shape[2] < 1:
        raise ShapeError(f"distances must be [{origins.shape[0]}, {origins.shape[1]}, S], got {list(distances.shape)}")


def check_rays(planes: Tensor, origins: Tensor, directions: Tensor) -> None:
    """Raise ShapeError unless there are planes [B, 3, C, R, R] and rays [B, N, 3] for them."""
    if planes.ndim != 5 or planes.shape[1] != 3 or planes.shape[3] != planes.shape[4]:
        raise ShapeError(f"planes must be [B, 3, C, R, R], got {list(planes.shape)}")
    check_directions(len(planes), origins, directions)


def check_directions(heads: int, origins: Tensor, directions: Tensor) -> None:
    """Raise ShapeError unless there are rays [B, N, 3] for so many heads."""
    for name, rays in (("origins", origins), ("directions", directions)):
        if rays.ndim != 3 or rays.shape[2] != 3 or len(rays) != heads:
            raise ShapeError(f"{name} must be [{heads}, N, 3], got {list(rays.shape)}")
    if origins.shape != directions.shape:
        raise ShapeError(f"{origins.shape[1]} origins but {directions.shape[1]} directions")
