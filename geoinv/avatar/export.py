"""Avatar files: one table of formats, and one writer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..files import atomic_path
from .avatar import Avatar
from .glb import avatar_glb

Files = dict[str, bytes]


@dataclass(frozen=True)
class AvatarFormat:
    """A kind of file.

    Args:
        encode: Makes the bytes of all files by name from an avatar and the stem of its name.
        endings: What the names of the files end in, the first that of the one that is asked for.
    """

    encode: Callable[[Avatar, str], Files]
    endings: tuple[str, ...]


def check_avatar_suffix(path: Path) -> str:
    """The lower-case suffix; ``UsageError`` unless avatars are written so."""
    suffix = path.suffix.lower()
    if suffix not in AVATAR_FORMATS:
        raise UsageError(f"cannot write an avatar to {path}", f"give a path ending in {', '.join(AVATAR_FORMATS)}")
    return suffix


def avatar_paths(path: Path) -> list[Path]:
    """All files that writing an avatar to ``path`` makes, itself first.

    Raises:
        UsageError: A suffix that avatars are not written with.
    """
    endings = AVATAR_FORMATS[check_avatar_suffix(path)].endings
    return [path, *(path.with_name(path.stem + ending) for ending in endings[1:])]


def write_avatar(path: Path, avatar: Avatar) -> list[Path]:
    """Write an avatar, each file whole or not at all; the suffix picks the format.

    Returns:
        The files, ``path`` first.

    Raises:
        UsageError: A suffix that avatars are not written with.
    """
    paths = avatar_paths(path)
    files = AVATAR_FORMATS[check_avatar_suffix(path)].encode(avatar, path.stem)
    for target, data in zip(reversed(paths), reversed(files.values()), strict=True):  # what others refer to comes first
        with atomic_path(target) as temporary:
            temporary.write_bytes(data)
    return paths


def _glb(avatar: Avatar, stem: str) -> Files:
    return {f"{stem}.glb": avatar_glb(avatar)}


AVATAR_FORMATS: Mapping[str, AvatarFormat] = {
    ".glb": AvatarFormat(_glb, (".glb",)),
}
"""The formats by suffix; a new one is a line here and its function."""
