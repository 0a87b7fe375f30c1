"""Names of results: each photo of a run gets one of its own, also where file names are equal, long or undecodable."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..files import MAX_NAME_BYTES, shortened_name

_LONGEST_ENDING = 40  # bytes, such as _yaw-12.5_pitch+12.5_normals.png


def result_stems(photos: Sequence[tuple[Path, str]], face: int | None = None) -> list[str]:
    """Return the beginning of the names of each photo's results.

    That is the photo's own name without its suffix, where it is alone with it; else the folders where the paths differ
    are put before it (``one_photo`` and ``two_photo``), or its suffix behind it (``photo_jpg`` and ``photo_png``).

    Args:
        photos: Path and plain stem of each photo, no two of one file.
        face: Number of the face where it was chosen, which becomes part of the name.
    """
    groups: dict[str, list[int]] = {}
    plain = [_decodable(stem) for _, stem in photos]
    for index, stem in enumerate(plain):
        groups.setdefault(_key(stem), []).append(index)
    stems = list(plain)
    taken = {key for key, members in groups.items() if len(members) == 1}
    for members in groups.values():
        if len(members) == 1:
            continue
        for names in _longer_names([photos[index][0] for index in members], [plain[index] for index in members]):
            keys = {_key(name) for name in names}
            if len(keys) == len(members) and not keys & taken:
                break
        taken |= keys
        for index, name in zip(members, names, strict=True):
            stems[index] = name
    ending = "" if face is None else f"_face{face}"
    return [shortened_name(stem, MAX_NAME_BYTES - _LONGEST_ENDING) + ending for stem in stems]


def _longer_names(paths: Sequence[Path], stems: Sequence[str]) -> Iterator[list[str]]:
    """Yield lists of longer and longer names for photos of equal names; the last list is always without equals."""
    folders = [[_decodable(part) for part in Path(os.path.abspath(path)).parent.parts[1:]] for path in paths]
    suffixes = [path.suffix[1:].lower() for path in paths]
    for is_suffix_shown in (False, True):
        for depth in range(max(map(len, folders)) + 1):
            yield [
                "_".join([*folder[len(folder) - min(depth, len(folder)) :], stem, *[suffix] * is_suffix_shown])
                for folder, stem, suffix in zip(folders, stems, suffixes, strict=True)
            ]
    hashes = [hashlib.sha256(os.fsencode(os.path.abspath(path))).hexdigest()[:16] for path in paths]
    yield [f"{stem}-{code}" for stem, code in zip(stems, hashes, strict=True)]


def _key(stem: str) -> str:
    """Return the form in which two names must differ: some disks see neither case nor how accents are written."""
    return unicodedata.normalize("NFC", stem).casefold()


def _decodable(text: str) -> str:
    """Write bytes that are no UTF-8 as ``%FF``: the files of results can be opened by every program."""
    return "".join(f"%{ord(char) - 0xDC00:02X}" if 0xDC80 <= ord(char) <= 0xDCFF else char for char in text)
