"""``manifest.jsonl``: a line for each photo that runs of many have finished with, in the folder of their results."""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..files import append_line
from .photo_files import PhotoFile, Share
from .photo_worker import Outcome


class Manifest:
    """The lines of one file. A line is written at once and reaches the disk before the next photo counts as done.

    A photo that was skipped because it was done before gets a line only if it has none yet. Of several lines of a
    photo the last holds.

    Args:
        path: The file; None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._known = {} if path is None else read_manifest(path)

    @classmethod
    def beside(cls, folders: Collection[Path], share: Share | None) -> Manifest:
        """The manifest in the folder of the results, if they have one in common; each share has its own."""
        name = "manifest.jsonl" if share is None else f"manifest-{share.index}-of-{share.count}.jsonl"
        return cls(next(iter(folders)) / name if len(folders) == 1 else None)

    def add(self, photo: PhotoFile, outcome: Outcome) -> None:
        """Write the line of a photo.

        Raises:
            UsageError: The disk is full or the folder may not be written to.
        """
        line = _line(photo, outcome)
        before = self._known.get(line["path"], {})
        is_known = outcome.is_skipped and before.get("sha256") == line["sha256"] and "error" not in before
        if self.path is None or is_known:
            return
        append_line(self.path, json.dumps(line, ensure_ascii=True))


def read_manifest(path: Path) -> dict[str, dict[str, Any]]:
    """Return the last line of each photo by its path; lines that were cut by a kill are left out."""
    lines: dict[str, dict[str, Any]] = {}
    with suppress(FileNotFoundError), path.open("rb") as file:
        for text in file:
            with suppress(ValueError, RecursionError):
                line = json.loads(text)
                if isinstance(line, dict) and isinstance(line.get("path"), str):
                    lines[line["path"]] = line
    return lines


def _line(photo: PhotoFile, outcome: Outcome) -> dict[str, Any]:
    line: dict[str, Any] = {"path": str(photo.path), "sha256": outcome.sha256, "name": photo.stem}
    if outcome.failure is not None:
        return {**line, "error": outcome.failure["error"], "hint": outcome.failure["hint"]}
    if outcome.result is None:
        return {**line, "was_done": True}
    return {**line, "files": [str(file) for file in outcome.result.files], "seconds": outcome.seconds}
