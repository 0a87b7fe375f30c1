"""Labelled pictures for a direction: a CSV of pictures and numbers, or a folder with a folder of each kind."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from ..errors import PhotoError, UsageError
from ..images import list_images

_KINDS = (("without", "with"), ("0", "1"), ("no", "yes"), ("negative", "positive"))
_HINT = "give a CSV with lines `picture,number`, or a folder with the folders `with` and `without`"


def read_labels(path: Path) -> list[tuple[Path, float]]:
    """Pictures and their numbers, more of the attribute being more.

    Raises:
        UsageError: Neither a CSV nor such a folder, or a line of it that cannot be read.
    """
    if path.is_dir():
        return _from_folder(path)
    if not path.is_file():
        raise UsageError(f"no such file or folder: {path}", _HINT)
    return _from_csv(path)


def _from_folder(path: Path) -> list[tuple[Path, float]]:
    for low, high in _KINDS:
        if (path / low).is_dir() and (path / high).is_dir():
            try:
                return [
                    (picture, float(score))
                    for score, kind in enumerate((low, high))
                    for picture in list_images(path / kind)
                ]
            except PhotoError as error:
                raise UsageError(error.message, _HINT) from error
    raise UsageError(f"{path} has no folders `with` and `without`", _HINT)


def _from_csv(path: Path) -> list[tuple[Path, float]]:
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"{path} is no CSV of text", _HINT) from error
    labels = []
    for number, row in enumerate(rows, start=1):
        fields = [field.strip() for field in row]
        if not any(fields):
            continue
        score = _number(fields[1]) if len(fields) == 2 else None
        if score is None and number == 1 and len(fields) == 2:
            continue  # names of the columns
        if score is None:
            raise UsageError(f"{path}, line {number}: not a picture and a number", _HINT)
        picture = path.parent / fields[0]  # an absolute path stays as it is
        if not picture.is_file():
            raise UsageError(f"{path}, line {number}: no such picture: {picture}", _HINT)
        labels.append((picture, score))
    if not labels:
        raise UsageError(f"{path} holds no labels", _HINT)
    return labels


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
