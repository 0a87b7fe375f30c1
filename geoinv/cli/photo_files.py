"""The photos that a command is given: files, folders, patterns and pipes, each once."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import stat
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import GeoinvError, PhotoError, reason_of, unreadable
from .photo_lists import ArchiveSlice, is_archive, is_list, listed, slices_of
from .pipes import is_stdin, read_pipe, read_stdin
from .result_names import result_stems

if TYPE_CHECKING:
    from ..images import Photo

_ADDRESS = re.compile(r"(https?|ftps?|s3|gs|data):", re.IGNORECASE)
_PIPE_FOLDERS = ("/dev/fd/", "/proc/")
# What the commands themselves write beside NAME.geoinv, NAME_report.json or NAME_aligned.json.
_OWN = re.compile(
    r"_(aligned\.png|overlay\.png|fit\.png|inversion\.png|seen\.png|turntable\.(gif|mp4)|views\.png|strip\.png"
    r"|video(_[a-z]+)?\.(gif|mp4)|yaw[-+.\de]+_pitch[-+.\de]+(_[a-z]+)?\.png|report\.json|aligned\.json)$"
)
_OWN_SUFFIXES = (".geoinv", ".ply", ".obj", ".mtl", ".glb", ".stl")
_OWN_MANIFEST = re.compile(r"manifest(-\d+-of-\d+)?\.jsonl")
_OWN_RECORDS = ("_report.json", "_aligned.json")


@dataclass(frozen=True)
class PhotoFile:
    """A photo that a command is to read.

    Args:
        path: Path as it was given or found, for messages and for reading.
        plain_stem: Name without folder and suffix.
        stem: Beginning of the names of its results.
        data: Contents where it came through a pipe, which can be read only once.
        slice: Where its bytes lie, if it is in an archive; ``path`` is then ``ARCHIVE/NAME``.
    """

    path: Path
    plain_stem: str
    stem: str = ""
    data: bytes | None = None
    slice: ArchiveSlice | None = None

    @property
    def name(self) -> str:
        """Name of the file, without its folder."""
        return self.plain_stem if self.data is not None else self.path.name

    def read(self) -> Photo:
        """Return its pixels and what was odd about the file.

        Raises:
            PhotoError: It cannot be read, or is no photo.
        """
        from ..images import photo_from_bytes, read_photo

        contents = self._contents()
        return read_photo(self.path) if contents is None else photo_from_bytes(contents, str(self.path))

    def sha256(self) -> str:
        """Return the SHA-256 of its bytes, which are read for it once.

        Raises:
            PhotoError: It cannot be read.
        """
        return self._sha256

    @cached_property
    def _sha256(self) -> str:
        contents = self._contents()
        if contents is not None:
            return hashlib.sha256(contents).hexdigest()
        from ..folders import sha256_of

        try:
            return sha256_of(self.path)
        except OSError as error:
            raise unreadable(self.path, error) from error

    def _contents(self) -> bytes | None:
        """Return its bytes where they are not those of a file of its own."""
        return self.data if self.slice is None else self.slice.read()


@dataclass(frozen=True)
class Share:
    """One of several equal parts of the photos, the same on every machine that sees them under the same names.

    Args:
        index: Which part, from 1.
        count: How many parts there are.
    """

    index: int
    count: int

    def has(self, photo: PhotoFile) -> bool:
        """Whether a photo belongs to the part, by its name: photos that come later move no other ones."""
        return zlib.crc32(os.fsencode(photo.stem)) % self.count == self.index - 1


@dataclass
class Found:
    """Photos that were found, and what else there was.

    Args:
        photos: Photos in the order of the command line, folders by name.
        failed: Paths that gave no photo, each with its error.
        same: Pairs of paths that are one photo: the one left out and the one kept.
        left_out: Number of files in folders that are no photos, by suffix.
        is_single: Whether exactly one photo was named: its result stands alone, its error ends the run.
    """

    photos: list[PhotoFile] = field(default_factory=list)
    failed: list[tuple[Path, GeoinvError]] = field(default_factory=list)
    same: list[tuple[Path, Path]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    is_single: bool = False

    @property
    def left_out_line(self) -> str:
        """``3 (.heic), 1 (.txt)``."""
        return ", ".join(f"{count} ({suffix or 'no suffix'})" for suffix, count in sorted(self.left_out.items()))


def is_single(paths: Sequence[Path]) -> bool:
    """Whether exactly one photo is named: no folder, pattern, list or archive."""
    if len(paths) != 1:
        return False
    path = paths[0]
    return not (os.path.isdir(path) or _is_pattern(path) or is_list(path) or is_archive(path))


def find_photos(
    paths: Sequence[Path], *, recursive: bool = False, face: int | None = None, share: Share | None = None
) -> Found:
    """Find the photos that are named, and those in the folders that are named.

    Args:
        paths: Photos, folders, patterns such as ``*.jpg``, lists (``.txt``), archives (``.tar``), named pipes, or ``-``
            for the standard input.
        recursive: Whether folders in folders are looked into.
        face: Number of the face where one was chosen, which becomes part of the results' names.
        share: Part of the photos to keep, of which names are given as if all were kept.

    Raises:
        GeoinvError: The error of the one path that was named. Of several, each is kept in ``failed``.
    """
    found = Found(is_single=is_single(paths))
    seen: dict[tuple[object, ...], Path] = {}
    for path in dict.fromkeys(paths):
        try:
            for photo in _photos_at(path, found, recursive):
                identity = _identity(photo)
                if identity in seen:
                    found.same.append((photo.path, seen[identity]))
                    continue
                seen[identity] = photo.path
                found.photos.append(photo)
        except GeoinvError as error:
            if len(paths) == 1:
                raise
            found.failed.append((path, error))
    stems = result_stems([(photo.path, photo.plain_stem) for photo in found.photos], face)
    named = [replace(photo, stem=stem) for photo, stem in zip(found.photos, stems, strict=True)]
    found.photos = [photo for photo in named if share is None or share.has(photo)]
    return found


def _photos_at(path: Path, found: Found, recursive: bool) -> Iterator[PhotoFile]:
    if is_stdin(path):
        yield PhotoFile(path, "stdin", data=read_stdin())
        return
    if _ADDRESS.match(str(path)):
        address = re.sub(r":/+", "://", str(path), count=1)  # of which Path leaves one slash
        raise PhotoError(f"{address} is an address, not a file", "download it first, and give the file")
    try:
        mode = os.stat(path).st_mode
    except OSError:
        if _is_pattern(path):
            yield from _matches(path, found, recursive)
        else:
            yield PhotoFile(path, path.stem)  # reading it says what is wrong
        return
    if stat.S_ISDIR(mode):
        yield from _in_folder(path, found, recursive)
    elif stat.S_ISFIFO(mode):
        stem = "pipe" if str(path).startswith(_PIPE_FOLDERS) else path.stem
        yield PhotoFile(path, stem, data=read_pipe(path))
    elif is_list(path):
        for named in listed(path):
            yield from _photos_at(named, found, recursive)
    elif is_archive(path):
        yield from _in_archive(path, found)
    elif stat.S_ISREG(mode):
        yield PhotoFile(path, path.stem)
    else:
        raise PhotoError(f"{path} is a device, not a photo", "give a photo, or - to read one from a pipe")


def _is_pattern(path: Path) -> bool:
    """Whether a path is a pattern that the shell left for the program, as on Windows or between quotes."""
    return glob.has_magic(str(path)) and not os.path.lexists(path)


def _matches(pattern: Path, found: Found, recursive: bool) -> Iterator[PhotoFile]:
    matches = sorted(Path(match) for match in glob.glob(str(pattern), recursive=True))
    if not matches:
        raise PhotoError(f"nothing matches the pattern {pattern}", "check the spelling of the path")
    photos = list(_sorted_out(matches, found))
    for folder in (match for match in matches if recursive and os.path.isdir(match)):
        photos.extend(_in_folder(folder, found, recursive))
    if not photos:
        raise PhotoError(f"no photos match the pattern {pattern}", "give a photo or a folder of photos")
    yield from photos


def _in_folder(folder: Path, found: Found, recursive: bool) -> list[PhotoFile]:
    left_out = found.left_out.copy()
    entries = _entries(folder)
    photos = list(_sorted_out(entries, found))
    folders = [entry for entry in entries if os.path.isdir(entry)]
    for entry in folders if recursive else []:
        try:
            photos.extend(_in_folder(entry, found, recursive))
        except GeoinvError as error:
            if not isinstance(error, _NoPhotosError):
                found.failed.append((entry, error))
    if photos:
        return photos
    new = Found(left_out=found.left_out - left_out)
    if folders and not recursive:
        raise _NoPhotosError(f"no photos in {folder}, only folders", "--recursive looks into them")
    if new.left_out:
        raise _NoPhotosError(f"no photos in {folder}, only other files", f"left out: {new.left_out_line}")
    if entries:
        raise _NoPhotosError(f"no photos in {folder}, only results of geoinv", "give a photo or a folder of photos")
    raise _NoPhotosError(f"no photos in {folder}", "it is empty; give a photo or a folder of photos")


def _in_archive(path: Path, found: Found) -> list[PhotoFile]:
    from ..images import IMAGE_SUFFIXES

    photos = []
    for name, piece in slices_of(path):
        if name.suffix.lower() in IMAGE_SUFFIXES:
            photos.append(PhotoFile(path / name, name.stem, slice=piece))
        else:
            found.left_out[name.suffix.lower()] += 1
    if not photos:
        raise _NoPhotosError(f"no photos in {path}", "it should hold pictures such as .jpg or .png")
    return photos


class _NoPhotosError(PhotoError):
    """A folder without photos, which within another folder is no error."""


def _entries(folder: Path) -> list[Path]:
    """Return what lies in a folder, by name; hidden files are left out, and links that lead back up."""
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise PhotoError(f"cannot read the folder {folder}: {reason_of(error)}", "check its permissions") from error
    real = os.path.realpath(folder)
    return [
        path
        for path in paths
        if not (
            path.is_symlink() and os.path.isdir(path) and (real + os.sep).startswith(os.path.realpath(path) + os.sep)
        )
    ]


def _sorted_out(paths: Iterable[Path], found: Found) -> Iterator[PhotoFile]:
    """Yield the photos among files; count the others, but for results of geoinv itself."""
    from ..images import IMAGE_SUFFIXES

    paths = list(paths)
    names: dict[Path, set[str]] = {}
    for path in paths:
        ending = next((end for end in (".geoinv", *_OWN_RECORDS) if path.name.endswith(end)), None)
        if ending is not None:
            names.setdefault(path.parent, set()).add(path.name.removesuffix(ending))
    for path in paths:
        if os.path.isdir(path) or path.suffix in _OWN_SUFFIXES or _is_own(path.name, names.get(path.parent, set())):
            continue
        if path.suffix.lower() in IMAGE_SUFFIXES:
            yield PhotoFile(path, path.stem)
        else:
            found.left_out[path.suffix.lower()] += 1


def _is_own(name: str, results: set[str]) -> bool:
    """Whether a file's name is that of a result of one of the heads that lie beside it."""
    if _OWN_MANIFEST.fullmatch(name):
        return True
    ending = _OWN.search(name)
    if ending is None:
        return False
    stem = name[: ending.start()]
    return any(stem == result or stem.startswith(f"{result}_") for result in results)


def _identity(photo: PhotoFile) -> tuple[object, ...]:
    """Return what two spellings of one photo have in common; a link of another name is a photo of its own."""
    if photo.data is not None:
        return ("pipe", str(photo.path))
    if photo.slice is not None:
        return ("archive", os.path.realpath(photo.slice.archive), photo.slice.start)
    try:
        status = os.stat(photo.path)
    except OSError:
        return ("missing", os.path.abspath(photo.path))
    return (status.st_dev, status.st_ino, photo.plain_stem.casefold())
