"""Contact sheets: pictures side by side with thin gaps, and a line of text under each where asked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError

Picture = NDArray[np.uint8]

GAP = 4
LABEL_HEIGHT = 22
_INK = (40, 40, 40)


def row(pictures: Sequence[Picture], *, labels: Sequence[str] | None = None, gap: int = GAP) -> Picture:
    """Pictures in one row, brought to the first one's height."""
    return grid(pictures, columns=max(len(pictures), 1), labels=labels, gap=gap)


def grid(
    pictures: Sequence[Picture],  # each [H, W, 3]
    *,
    columns: int,
    labels: Sequence[str] | None = None,
    gap: int = GAP,
    background: int = 255,
) -> Picture:
    """Pictures in rows of ``columns``; all take the first one's size; a last row may be short.

    Raises:
        UsageError: No pictures, no columns, or a label too many or too few.
    """
    if not pictures:
        raise UsageError("a sheet needs at least one picture")
    if columns < 1:
        raise UsageError(f"a sheet needs at least one column, got {columns}")
    if labels is not None and len(labels) != len(pictures):
        raise UsageError(f"{len(pictures)} pictures but {len(labels)} labels")
    height, width = pictures[0].shape[:2]
    cells = [_fitted(picture, height, width) for picture in pictures]
    if labels is not None:
        cells = [labelled(cell, text) for cell, text in zip(cells, labels, strict=True)]
        height = cells[0].shape[0]
    columns = min(columns, len(cells))
    rows = -(-len(cells) // columns)
    sheet = np.full(
        (rows * height + (rows - 1) * gap, columns * width + (columns - 1) * gap, 3), background, dtype=np.uint8
    )
    for index, cell in enumerate(cells):
        top, left = (index // columns) * (height + gap), (index % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = cell
    return sheet


def stack(rows: Sequence[Picture], *, gap: int = GAP, background: int = 255) -> Picture:
    """Finished rows above each other, left-aligned; narrower ones are filled up."""
    if not rows:
        raise UsageError("a sheet needs at least one row")
    width = max(part.shape[1] for part in rows)
    height = sum(part.shape[0] for part in rows) + gap * (len(rows) - 1)
    sheet = np.full((height, width, 3), background, dtype=np.uint8)
    top = 0
    for part in rows:
        sheet[top : top + part.shape[0], : part.shape[1]] = part
        top += part.shape[0] + gap
    return sheet


def labelled(picture: Picture, text: str) -> Picture:
    """The picture with a line of centred text on white beneath it."""
    from PIL import Image, ImageDraw, ImageFont

    width = picture.shape[1]
    strip = Image.new("RGB", (width, LABEL_HEIGHT), (255, 255, 255))
    font = ImageFont.load_default(size=14)
    draw = ImageDraw.Draw(strip)
    draw.text((width / 2, LABEL_HEIGHT / 2), text, font=font, fill=_INK, anchor="mm")
    return np.concatenate([picture, np.asarray(strip)], axis=0)


def _fitted(picture: Picture, height: int, width: int) -> Picture:
    if picture.shape[:2] == (height, width):
        return picture
    import cv2

    is_smaller = picture.shape[0] > height
    interpolation = cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR
    resized = cv2.resize(picture, (width, height), interpolation=interpolation)
    return np.asarray(resized, dtype=np.uint8)
