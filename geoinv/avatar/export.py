"""Avatar files: one table of formats, and one writer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ..errors import MissingDependencyError, UsageError
from ..files import atomic_path
from .avatar import Avatar
from .glb import avatar_glb
from .obj import MATERIALS, avatar_obj, texture_name
from .usdz import avatar_usdz

Files = dict[str, bytes]


@dataclass(frozen=True)
class AvatarFormat:
    """A kind of file.

    Args:
        encode: Makes the bytes of all files by name from an avatar and the stem of its name.
        endings: What the names of the files end in, the first that of the one that is asked for.
        needs: Package that is imported and the extra of geoinv that brings it, where there is one.
    """

    encode: Callable[[Avatar, str], Files]
    endings: tuple[str, ...]
    needs: tuple[str, str] | None = None


def check_avatar_suffix(path: Path) -> str:
    """The lower-case suffix.

    Raises:
        UsageError: A suffix that avatars are not written with.
        MissingDependencyError: One whose package is missing.
    """
    suffix = path.suffix.lower()
    if suffix not in AVATAR_FORMATS:
        raise UsageError(f"cannot write an avatar to {path}", f"give a path ending in {', '.join(AVATAR_FORMATS)}")
    needs = AVATAR_FORMATS[suffix].needs
    if needs is not None and find_spec(needs[0]) is None:
        raise MissingDependencyError(
            f"avatars in {suffix} need the package {needs[0]}", f"pip install 'geoinv[{needs[1]}]'"
        )
    return suffix


def avatar_paths(path: Path) -> list[Path]:
    """All files that writing an avatar to ``path`` may make, itself first; without hair there is no texture of it.

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
    files = AVATAR_FORMATS[check_avatar_suffix(path)].encode(avatar, path.stem)
    for name, data in reversed(files.items()):  # what others refer to comes first
        with atomic_path(path.with_name(name)) as temporary:
            temporary.write_bytes(data)
    return [path.with_name(name) for name in files]


def _glb(avatar: Avatar, stem: str) -> Files:
    return {f"{stem}.glb": avatar_glb(avatar)}


def _usdz(avatar: Avatar, stem: str) -> Files:
    return {f"{stem}.usdz": avatar_usdz(avatar)}


_OBJ_TEXTURES = tuple(texture_name("", material) for material in MATERIALS)

AVATAR_FORMATS: Mapping[str, AvatarFormat] = {
    ".glb": AvatarFormat(_glb, (".glb",)),
    ".obj": AvatarFormat(avatar_obj, (".obj", ".mtl", *_OBJ_TEXTURES)),
    ".usdz": AvatarFormat(_usdz, (".usdz",), needs=("pxr", "usd")),
}
"""The formats by suffix; a new one is a line here and its function."""
