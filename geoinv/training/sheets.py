"""Sample sheets of a training run: truth above result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from ..files import atomic_path


def save_comparison(path: Path, truths: list[Tensor], results: list[Tensor], columns: int = 12) -> None:
    """Rows of truths [H, W, 3] in [0, 1], each above its results, ``columns`` wide."""
    rows = []
    for start in range(0, len(truths), columns):
        for images in (truths[start : start + columns], results[start : start + columns]):
            row = [image.clamp(0, 1).mul(255).round().byte().numpy() for image in images]
            row += [np.zeros_like(row[0])] * (columns - len(row))
            rows.append(np.concatenate(row, axis=1))
    with atomic_path(path) as temporary:
        Image.fromarray(np.concatenate(rows, axis=0)).save(temporary)
