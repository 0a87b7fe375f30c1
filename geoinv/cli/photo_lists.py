"""Many photos in one file: lists of paths (``.txt``) and archives (``.tar``), as data sets come."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import PhotoError, unreadable


@dataclass(frozen=True)
class ArchiveSlice:
    """Bytes of one file in an archive that is not compressed.

    Args:
        archive: The archive.
        start: Position of the first byte.
        size: Number of bytes.
    """

    archive: Path
    start: int
    size: int

    def read(self) -> bytes:
        """The bytes.

        Raises:
            PhotoError: The archive cannot be read any more, or is cut.
        """
        try:
            with self.archive.open("rb") as file:
                file.seek(self.start)
                data = file.read(self.size)
        except OSError as error:
            raise unreadable(self.archive, error) from error
        if len(data) < self.size:
            raise PhotoError(f"{self.archive} is cut", "copy or download it again")
        return data


def is_list(path: Path) -> bool:
    """Whether a path is that of a list of photos."""
    return path.suffix.lower() == ".txt" and os.path.isfile(path)


def is_archive(path: Path) -> bool:
    """Whether a path is that of an archive of photos."""
    return path.name.lower().endswith((".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")) and os.path.isfile(path)


def listed(path: Path) -> list[Path]:
    """The paths in a list, one a line; relative ones begin at the list's own folder. Empty lines are left out.

    Raises:
        PhotoError: It cannot be read, is no text, or is empty.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines()
    except OSError as error:
        raise unreadable(path, error) from error
    paths = [path.parent / line.strip() for line in lines if line.strip()]
    if any("\0" in str(entry) for entry in paths):
        raise PhotoError(f"{path} is no list of photos", "it should have the path of a photo on each line")
    if not paths:
        raise PhotoError(f"{path} is an empty list", "it should have the path of a photo on each line")
    return paths


def slices_of(path: Path) -> Iterator[tuple[PurePosixPath, ArchiveSlice]]:
    """Name and place of each file in an archive, in its order; links, folders and hidden files are left out.

    Raises:
        PhotoError: It is compressed, cut, or no archive.
    """
    if not path.name.lower().endswith(".tar"):
        raise PhotoError(f"{path} is compressed, so that single photos cannot be read from it", "unpack it to a .tar")
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                if member.isreg() and not member.issparse() and not name.name.startswith("."):
                    yield name, ArchiveSlice(path, member.offset_data, member.size)
    except tarfile.TarError as error:
        raise PhotoError(f"{path} is no .tar archive, or damaged: {error}", "copy or download it again") from error
    except OSError as error:
        raise unreadable(path, error) from error
