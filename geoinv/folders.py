"""Folders of weights, and hashes of files.

The shipped files lie in ``weights/`` of a checkout and in ``geoinv/_weights`` of an installed wheel; ``GEOINV_WEIGHTS``
names another folder. Fetched ones lie in the user's cache.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path

from .errors import CheckpointError


def weights_dir() -> Path:
    """The folder of shipped weights.

    Raises:
        CheckpointError: There is none.
    """
    override = os.environ.get("GEOINV_WEIGHTS")
    package = Path(__file__).resolve().parent
    candidates = [Path(override)] if override else [package / "_weights", package.parent / "weights"]
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise CheckpointError(
        f"no folder of weights at {candidates[-1]}",
        "reinstall geoinv, or name the folder in GEOINV_WEIGHTS",
    )


def cache_dir() -> Path:
    """The folder of fetched weights, which may not exist yet; ``GEOINV_CACHE`` names another cache.

    Raises:
        CheckpointError: The user has no home folder.
    """
    try:
        return user_cache() / "weights"
    except RuntimeError as error:
        raise CheckpointError("there is no home folder for fetched weights", "set GEOINV_CACHE to one") from error


def user_cache() -> Path:
    """The user's cache, with a folder for each kind of files that geoinv keeps there.

    Raises:
        RuntimeError: The user has no home folder.
    """
    named = os.environ.get("GEOINV_CACHE")
    return Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "geoinv")


@lru_cache(maxsize=16)
def _sha256(path: Path, size: int, modified_ns: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sha256_of(path: Path) -> str:
    """Hex digest of a file, remembered while its size and time stay the same."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)
