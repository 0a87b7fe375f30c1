"""Panoramas of surroundings (HDRIs), reduced to the light that they throw on a head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import MissingDependencyError, ShapeError, UsageError
from .spherical_harmonics import directional_light

SUFFIXES = (".exr", ".hdr")
_ROWS = 64  # a panorama is averaged to so many: order 2 sees no more
_LUMINANCE = (0.2126, 0.7152, 0.0722)
_LEVEL = 0.75  # mean luminance of light on a head, as photos are exposed


def environment_light(panorama: NDArray[Any]) -> Tensor:
    """Light [1, 9, 3] of a panorama, brought to the exposure of a photo.

    Args:
        panorama: [H, 2 H, 3] linear RGB; what the head looks at is in its middle, the sky at its top.

    Raises:
        ShapeError: Another shape.
        UsageError: It is dark, or holds numbers that are not finite.
    """
    if panorama.ndim != 3 or panorama.shape[2] != 3 or panorama.shape[1] != 2 * panorama.shape[0]:
        raise ShapeError(f"a panorama must be [H, 2 H, 3], got {list(panorama.shape)}")
    rows = torch.from_numpy(np.ascontiguousarray(panorama, dtype=np.float32)).permute(2, 0, 1)[None].double()
    rows = torch.nn.functional.adaptive_avg_pool2d(rows, (_ROWS, 2 * _ROWS))[0].flatten(1).T  # [N, 3]
    directions, shares = _directions()
    coefficients = directional_light(directions, rows * shares[:, None] / torch.pi).sum(dim=0)
    level = float(coefficients[0] @ torch.tensor(_LUMINANCE, dtype=torch.float64)) * 0.28209479
    if not np.isfinite(level) or level <= 0.0:
        raise UsageError("the panorama gives no light", "it must hold linear colours, some of them above 0")
    return (coefficients * (_LEVEL / level)).float()[None]


def read_panorama(path: Path) -> NDArray[np.float32]:
    """[H, 2 H, 3] linear RGB of an .exr or .hdr file.

    Raises:
        UsageError: No such file, or no panorama of this kind.
        MissingDependencyError: An .exr, and the package OpenEXR is missing.
    """
    if not path.is_file():
        raise UsageError(f"no such file: {path}", "give left, right, above, below, front or a panorama (.exr, .hdr)")
    picture = _read_exr(path) if path.suffix.lower() == ".exr" else _read_hdr(path)
    if picture is None or picture.ndim != 3 or picture.shape[1] != 2 * picture.shape[0]:
        raise UsageError(f"{path} is no panorama of linear colours", "give an .exr or .hdr twice as wide as high")
    return np.asarray(picture[:, :, :3], np.float32)


def _read_exr(path: Path) -> NDArray[Any] | None:
    try:
        import OpenEXR
    except ImportError as error:
        hint = "pip install 'geoinv[hdri]', or convert the panorama to .hdr"
        raise MissingDependencyError("reading .exr needs the package OpenEXR", hint) from error
    try:
        with OpenEXR.File(str(path)) as file:
            channels = file.channels()
            return next((np.array(channels[name].pixels) for name in ("RGB", "RGBA") if name in channels), None)
    except (RuntimeError, ValueError, OSError):
        return None


def _read_hdr(path: Path) -> NDArray[Any] | None:
    import cv2

    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.dtype != np.float32 or picture.ndim != 3:
        return None
    return picture[:, :, 2::-1]


def _directions() -> tuple[Tensor, Tensor]:
    """Unit vectors [N, 3] to the cells of a panorama, row by row, and their shares of the sphere in steradian [N]."""
    height = torch.pi * (0.5 - (torch.arange(_ROWS, dtype=torch.float64) + 0.5) / _ROWS)
    turn = 2.0 * torch.pi * ((torch.arange(2 * _ROWS, dtype=torch.float64) + 0.5) / (2 * _ROWS) - 0.5)
    height, turn = (part.flatten() for part in torch.meshgrid(height, turn, indexing="ij"))
    # who looks to +z has -x at the right hand
    directions = torch.stack([-turn.sin() * height.cos(), height.sin(), turn.cos() * height.cos()], dim=-1)
    return directions, height.cos() * (torch.pi / _ROWS) ** 2
