"""Photos of one person as one piece of work: what ``--same-person`` and ``--group`` make of photos."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import GeoinvError, UsageError
from .photo_files import Found, PhotoFile, find_photos
from .result_names import result_stems

if TYPE_CHECKING:
    from ..images import Photo


@dataclass(frozen=True)
class PhotoGroup(PhotoFile):
    """Photos of one person, under one name.

    Args:
        photos: The photos; the first one decides expression, light and view.
    """

    photos: tuple[PhotoFile, ...] = ()

    def read(self) -> Photo:
        """Return the pixels of the first photo.

        Raises:
            PhotoError: It cannot be read, or is no photo.
        """
        return self.photos[0].read()

    def sha256(self) -> str:
        """Return the SHA-256 of the photos' own, in order.

        Raises:
            PhotoError: One of them cannot be read.
        """
        return hashlib.sha256("".join(photo.sha256() for photo in self.photos).encode()).hexdigest()


def same_person(paths: Sequence[Path], *, recursive: bool = False) -> Found:
    """All photos that are named as one group, under the name of the first.

    Raises:
        GeoinvError: The error of the first path that gave no photo: a person without it may be another.
    """
    found = find_photos(paths, recursive=recursive)
    if found.failed:
        raise found.failed[0][1]
    return replace(found, photos=[_group(found.photos[0].path, found.photos[0].stem, found.photos)], is_single=True)


def folders_of_persons(paths: Sequence[Path], *, recursive: bool = False) -> Found:
    """A group for each folder that is named, under the folder's name.

    Raises:
        UsageError: A path that is no folder.
        GeoinvError: The error of the one folder that was named. Of several, each is kept in ``failed``.
    """
    for path in paths:
        if not os.path.isdir(path):
            raise UsageError(f"--group takes a folder for each person, {path} is none", "or give --same-person")
    folders = list(dict.fromkeys(paths))
    result = Found(is_single=len(folders) == 1)
    stems = result_stems([(path, Path(os.path.abspath(path)).name) for path in folders], None)
    for path, stem in zip(folders, stems, strict=True):
        try:
            found = find_photos([path], recursive=recursive)
        except GeoinvError as error:
            if result.is_single:
                raise
            result.failed.append((path, error))
            continue
        result.same += found.same
        result.left_out += found.left_out
        result.photos.append(_group(path, stem, found.photos))
    return result


def _group(path: Path, stem: str, photos: Sequence[PhotoFile]) -> PhotoGroup:
    return PhotoGroup(path, stem, stem, photos=tuple(photos))
