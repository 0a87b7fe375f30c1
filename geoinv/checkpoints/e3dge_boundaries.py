"""Edit directions as E3DGE keeps them: two ``boundary.npy`` an attribute, one for G0's codes and one for G1's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import CheckpointError
from ..models.families import AnyConfig
from ..models.stylesdf.config import StyleSdfConfig
from ..models.stylesdf.generator import joined
from ..npy_files import load_npy

_RENDERER, _DECODER = "renderer_", "decoder_"
_HINT = "give the folder with renderer_Smiling/boundary.npy, decoder_Smiling/boundary.npy and so on"
DESCRIPTIONS = {
    "bangs": "hair over the forehead",
    "eyeglasses": "glasses",
    "no-beard": "no beard; negative lets one grow",
    "smiling": "a smile",
    "young": "younger",
}


def read_boundaries(folder: Path, config: AnyConfig) -> dict[str, Tensor]:
    """Directions [num_ws, w_dim] by name: every row of a code moves alike, by as much as the official scale says.

    Args:
        folder: ``assets/editing_boundaries/stylesdf`` of E3DGE, or one like it.
        config: The generator's configuration.

    Raises:
        CheckpointError: A generator of another family, no such files, one without its twin, or vectors that do not
            fit the generator.
    """
    if not isinstance(config, StyleSdfConfig):
        raise CheckpointError(
            f"model {config.name} is not of E3DGE's family", "make directions: geoinv train directions"
        )
    if not folder.is_dir():
        raise CheckpointError(f"no such folder: {folder}", _HINT)
    found = sorted(path.name.removeprefix(_RENDERER) for path in folder.glob(f"{_RENDERER}*") if path.is_dir())
    if not found:
        raise CheckpointError(f"{folder} has no directions", _HINT)
    directions = {}
    for name in found:
        renderer = read_boundary(folder / f"{_RENDERER}{name}" / "boundary.npy", config.w_dim)
        decoder = read_boundary(folder / f"{_DECODER}{name}" / "boundary.npy", config.decoder_dim)
        rows = renderer.expand(1, config.renderer_rows, -1), decoder.expand(1, config.decoder_rows, -1)
        directions[name.lower().replace("_", "-").replace(" ", "-")] = joined(*rows)[0].clone()
    return directions


def read_boundary(path: Path, size: int) -> Tensor:
    """[1, 1, size] of a ``boundary.npy``.

    Raises:
        CheckpointError: It cannot be read, or holds something else than so many finite numbers.
    """
    try:
        values = load_npy(path)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read {path}", _HINT) from error
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f" or values.shape not in ((size,), (1, size)):
        raise CheckpointError(f"{path} holds no vector of {size} numbers", "it is of another generator")
    if not np.isfinite(values).all():
        raise CheckpointError(f"{path} is not finite", "it is damaged")
    return torch.from_numpy(values.astype(np.float32)).reshape(1, 1, size)
