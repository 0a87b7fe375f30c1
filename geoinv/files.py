"""Writing files whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import UsageError

# A full or read-only disk is the user's to mend; any other OSError inside the block is a bug and keeps its traceback.
_DISK_ERRORS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

_TEMPORARY = re.compile(r"\..*-[0-9a-f]{8}\.part(\.[^.]*)?")


@contextmanager
def atomic_path(path: str | os.PathLike[str], *, durable: bool = False) -> Iterator[Path]:
    """Give a temporary path beside ``path`` that takes its place when the block succeeds.

    The temporary name is hidden, ends in the same suffix and lies in the same folder, so that the replacement is one
    rename; on any exception it is removed and ``path`` is left as it was. Missing folders are made. What a killed
    process leaves is for :func:`remove_leftovers`.

    Args:
        path: Where the finished file shall be; an existing file is replaced.
        durable: Wait until it is on the disk: for what took hours and must outlast a power cut.

    Yields:
        The path to write to. It exists already, empty.

    Raises:
        UsageError: The folder cannot be made or written to, the disk is full, or ``path`` is a folder.
    """
    target = Path(path)
    if target.is_dir():
        raise UsageError(f"cannot write {target}: it is a folder", hint="give the name of a file")
    temporary = target.with_name(f".{target.stem}-{secrets.token_hex(4)}.part{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise _cannot_write(target, error) from error
    try:
        yield temporary
        if durable:
            flush_to_disk(temporary)
        os.replace(temporary, target)
        if durable:
            flush_to_disk(target.parent)
    except OSError as error:
        if error.errno in _DISK_ERRORS:
            raise _cannot_write(target, error) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def flush_to_disk(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    if path.is_dir() and os.name == "nt":  # which cannot open folders, and writes names by itself
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left half-written; for a folder that nobody else is writing to."""
    for path in folder.iterdir():
        if _TEMPORARY.fullmatch(path.name):
            path.unlink(missing_ok=True)


@contextmanager
def only_one_process(folder: Path) -> Iterator[None]:
    """Work in ``folder`` alone, or not at all; a lock of the system, which a killed process gives up.

    Raises:
        UsageError: Another process works there.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"another run is at work in {folder}", "wait for it, or give another --out") from None
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(descriptor)


def _cannot_write(target: Path, error: OSError) -> UsageError:
    reason = (error.strerror or str(error)).lower()
    return UsageError(f"cannot write {target}: {reason}", hint="choose an output folder that you may write to")
