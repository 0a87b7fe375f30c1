"""Arrays from ``.npy`` files that anybody may have made."""

from __future__ import annotations

from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np


def load_npy(path: Path, *, is_mapped: bool = False) -> Any:
    """Return the array of a ``.npy`` file, of any type and shape; nothing in it is run.

    Args:
        path: The file.
        is_mapped: Whether to leave the numbers on the disk until they are looked at.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no such file, or damaged.
    """
    try:
        return np.load(path, mmap_mode="r" if is_mapped else None, allow_pickle=False)
    except (EOFError, MemoryError, OverflowError, SyntaxError, TokenError) as error:
        # a header may claim any size, and numpy reads it as Python's words
        raise ValueError(str(error)) from error
