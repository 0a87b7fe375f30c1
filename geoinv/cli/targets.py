"""Places that commands write to: checked before the work, so that nothing is overwritten or lost after it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..files import MAX_NAME_BYTES, atomic_path, remove_leftovers, shortened_name
from ..notices import notify
from .options import DEFAULT_OUT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..inversion import Inversion
    from ..session import Session


def result_path(folder: Path, stem: str, ending: str) -> Path:
    """Return the place of a result, under a shortened name where its own would be too long for a file system.

    Args:
        folder: Folder of the results.
        stem: Beginning of the name.
        ending: Rest of the name, which is always kept.
    """
    return folder / (shortened_name(stem, MAX_NAME_BYTES - len(ending)) + ending)


def folder_with_inversions(out: Path | None) -> Path:
    """Return the folder to look for the newest inversion: the result's own if it has any, else the default one."""
    if out is not None and any(out.parent.glob("*.geoinv")):
        return out.parent
    return DEFAULT_OUT


def folder_and_file(out: Path | None) -> tuple[Path, Path | None]:
    """Return the folder of results and inversions that --out stands for, and the file itself if it names one."""
    if out is None or out.is_dir() or not out.suffix:
        return out or DEFAULT_OUT, None
    return folder_with_inversions(out), out


def level_path(target: Path, level: int) -> Path:
    """Return the place of a level of detail, 1 or more, beside that of the finest."""
    return target.with_name(f"{target.stem}_lod{level}{target.suffix}")


def shown_stem(inversion: Path, generator: str | None) -> str:
    """Return the beginning of results' names: NAME, or NAME_GENERATOR where another generator shows the head."""
    if generator is None:
        return inversion.stem
    return f"{inversion.stem}_{Path(generator).stem.removesuffix('-generator')}"


def shown_facts(session: Session, inversion: Inversion) -> dict[str, str]:
    """Return what a result says about generators: the model whose code it is, and the one that it is shown with."""
    facts = {"model": session.info.name}
    if (shown := session.shown_info) is not None:
        facts |= {"generator": shown.name, "generator_sha256": shown.sha256}
        if inversion.details is not None:
            notify(f"the photo's details are left out: {shown.name} was not trained with them")
    return facts


def check_outputs(paths: Iterable[Path], *, overwrite: bool) -> None:
    """Refuse results that exist, and folders that cannot be written to; remove what killed runs left half-written.

    Raises:
        UsageError: Naming the first of them.
    """
    for path in paths:
        if os.path.isdir(path):
            raise UsageError(f"cannot write {path}: it is a folder", "give the name of a file")
        if os.path.lexists(path) and not overwrite:
            raise UsageError(f"{path} exists", "give --overwrite to replace it, or another --out")
        check_writable(path.parent)
        _clean(os.path.abspath(path.parent))


@cache
def _clean(folder: str) -> None:
    remove_leftovers(Path(folder), is_shared=True)


def check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be made or written to, without making it.

    Raises:
        UsageError: The nearest existing folder above is a file, may not be written to, or its disk is full.
    """
    place = folder.absolute()
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    if not os.path.isdir(place):
        what = "a link to nothing" if place.is_symlink() and not os.path.exists(place) else "not a folder"
        raise UsageError(f"cannot write to {folder}: {place} is {what}", "give another --out")
    if not os.access(place, os.W_OK | os.X_OK):
        reason, hint = _why_not(place)
        raise UsageError(f"cannot write to {folder}: {reason}", hint)


def _why_not(place: Path) -> tuple[str, str]:
    """Say why a folder takes no files, and what to do."""
    with suppress(OSError, AttributeError):  # Windows has no statvfs
        if os.statvfs(place).f_flag & os.ST_RDONLY:
            return f"the disk of {place} is read-only", "give an --out on another disk"
    return f"no permission to write in {place}", "give another --out, or change the folder's permissions"


def check_same_or_new(path: Path, picture: NDArray[Any], *, overwrite: bool) -> None:
    """Refuse to replace a picture by another; the very same may be there, as `align` writes it before `invert`.

    Raises:
        UsageError: It is another picture.
    """
    if overwrite or not os.path.lexists(path):
        return
    import numpy as np

    from ..errors import PhotoError
    from ..images import read_image

    try:
        is_same = np.array_equal(read_image(path), picture)
    except PhotoError:
        is_same = False
    if not is_same:
        raise UsageError(f"{path} exists", "give --overwrite to replace it, or another --out")


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a JSON file, whole or not at all; the same values give the same bytes."""
    text = json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    with atomic_path(path) as temporary:
        # Undecodable bytes of a file name become \\udc80 to \\udcff, which JSON reads back as they were.
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
