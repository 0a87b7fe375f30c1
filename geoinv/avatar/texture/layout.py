"""Where the skin's corners lie in its texture: MakeHuman's islands, with more texels for the face."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from ...errors import CheckpointError
from ...files import atomic_path

_FILE = Path(__file__).with_name("skin_layout.safetensors")
_LEVELS = 65535  # places are 16-bit parts of the texture's side


@lru_cache(maxsize=1)
def skin_layout() -> NDArray[np.float32]:
    """Places [C, 2] of the skin's corners (``model.parts["skin"].corners``) in its texture, origin at the lower left.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    try:
        stored = load_file(_FILE)["skin"]
    except (OSError, KeyError, ValueError) as error:
        raise CheckpointError(f"no layout of the skin at {_FILE}", "reinstall geoinv") from error
    return stored.astype(np.float32) / np.float32(_LEVELS)


def save_layout(places: NDArray[np.float32]) -> None:
    """Write places [C, 2] for :func:`skin_layout`, in 16 bits."""
    with atomic_path(_FILE) as temporary:
        save_file({"skin": np.rint(places * _LEVELS).astype(np.uint16)}, temporary)
