"""The folder of built kernels: where it is, what keeps kernels from being built there, and which builds have failed."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import NativeBuildError
from ..folders import user_cache

_LEAST_FREE_BYTES = 64 << 20  # objects and libraries of all operations take some 10 MB
_REMEMBERED_S = 24 * 3600.0  # memory that ran out, and the like, may have passed


_ELSEWHERE = "set GEOINV_CACHE to another folder"


class CacheError(NativeBuildError):
    """A folder in which no kernel can be built or loaded."""


def cache_folder() -> Path:
    """The folder of built operations; ``GEOINV_CACHE`` overrides.

    Raises:
        CacheError: The user has no home folder.
    """
    try:
        return user_cache() / "native"
    except RuntimeError as error:
        raise CacheError("there is no home folder for built kernels", "set GEOINV_CACHE to a folder") from error


def check_runs_programs() -> None:
    """Check that libraries can be loaded from the cache's file system.

    Raises:
        CacheError: They cannot.
    """
    flags = os.statvfs(_nearest_folder()).f_flag if hasattr(os, "statvfs") else 0
    if flags & getattr(os, "ST_NOEXEC", 0):
        raise CacheError(f"{cache_folder()} is on a file system that runs no programs (noexec)", _ELSEWHERE)


def check_is_writable() -> None:
    """Check that libraries can be written to the cache; looks, but writes nothing.

    Raises:
        CacheError: They cannot.
    """
    folder = _nearest_folder()
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise CacheError(f"cannot write to {cache_folder()}", _ELSEWHERE)
    if shutil.disk_usage(folder).free < _LEAST_FREE_BYTES:
        raise CacheError(
            f"no space is left for {cache_folder()}", f"free {_LEAST_FREE_BYTES >> 20} MiB, or {_ELSEWHERE}"
        )


def _nearest_folder() -> Path:
    """The cache, or what of its path exists already."""
    folder = cache_folder().absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())


@contextmanager
def only_one_process() -> Iterator[None]:
    """Wait until no other process builds into the cache; a lock of the system, which a killed process gives up.

    Raises:
        CacheError: The cache cannot be written.
    """
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        lock = open(cache_folder() / ".lock", "w")  # noqa: SIM115
    except OSError as error:
        raise CacheError(f"cannot write to {cache_folder()}: {error.strerror}", _ELSEWHERE) from error
    with lock:
        with suppress(ImportError):  # Windows has none
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def failure_record(library: Path) -> Path:
    """The file that remembers why a library could not be built; without it, the next process builds again."""
    return library.with_suffix(".failure")


def remember_failure(library: Path, compiler: str, cause: str) -> None:
    """Write down why a library could not be built, so that no process spends the time again; a full disk forgets.

    Args:
        library: Place of the library; its sources and flags are in its name.
        compiler: Key of the compiler: another one may succeed.
        cause: One line.
    """
    with suppress(OSError):
        failure_record(library).parent.mkdir(parents=True, exist_ok=True)
        failure_record(library).write_text(f"{compiler}\n{cause}\n")


def remembered_failure(library: Path, compiler: str) -> str | None:
    """Why this compiler could not build a library in the last 24 hours; None where it is worth a try."""
    record = failure_record(library)
    try:
        if abs(time.time() - record.stat().st_mtime) > _REMEMBERED_S:  # a clock may have been put back since
            return None
        failed, _, cause = record.read_text().partition("\n")
    except OSError:
        return None
    return cause.strip() if failed == compiler else None


def forget_failure(library: Path) -> None:
    """Take the record away, after a success."""
    with suppress(OSError):
        failure_record(library).unlink(missing_ok=True)
