"""Writing files whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import UsageError, reason_of

MAX_NAME_BYTES = 240
"""Longest file name that results get; file systems take 255 bytes, and temporary names need a few more."""

# What a user can mend about a disk, and how; any other OSError inside the block is a bug and keeps its traceback.
_DISK_ERRORS = {
    errno.EACCES: "choose an output folder that you may write to",
    errno.EPERM: "choose an output folder that you may write to",
    errno.EROFS: "choose an output folder on a disk that is not read-only",
    errno.ENOSPC: "free some space, or choose an output folder on another disk",
    errno.EDQUOT: "free some of your quota, or choose an output folder on another disk",
    errno.EFBIG: "the limit on file sizes is too low (`ulimit -f`), or the disk cannot hold files of this size",
    errno.EIO: "the disk does not answer as it should; choose an output folder on another one",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.ENOTDIR: "a part of its path is a file, not a folder",
    errno.EEXIST: "a part of its path is a file, not a folder",
    errno.ELOOP: "a link in its path leads back to itself",
    errno.EILSEQ: "this disk does not take such names; give another one",
}

_TEMPORARY = re.compile(r"\..*-[0-9a-f]{8}\.part(\.[^.]*)?")
_TEMPORARY_STEM_BYTES = 160


@contextmanager
def atomic_path(path: str | os.PathLike[str], *, durable: bool = False) -> Iterator[Path]:
    """Give a temporary path beside ``path`` that takes its place when the block succeeds.

    The temporary name is hidden, ends in the same suffix and lies in the same folder, so that the replacement is one
    rename; on any exception it is removed and ``path`` is left as it was. Missing folders are made. What a killed
    process leaves is for :func:`remove_leftovers`.

    Args:
        path: Place of the finished file; an existing file is replaced.
        durable: Whether to wait until it is on the disk: for what took hours and must outlast a power cut.

    Yields:
        The path to write to. It exists already, empty.

    Raises:
        UsageError: The folder cannot be made or written to, the disk is full, or ``path`` is a folder.
    """
    target = Path(path)
    if os.path.isdir(target):
        raise UsageError(f"cannot write {target}: it is a folder", hint="give the name of a file")
    stem = os.fsencode(target.stem)[:_TEMPORARY_STEM_BYTES].decode(errors="ignore")
    temporary = target.with_name(f".{stem}-{secrets.token_hex(4)}.part{target.suffix}")
    lock = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        _lock(lock)
        lock = _closed_on_windows(lock)
    except OSError as error:
        if lock is not None:
            os.close(lock)
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
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if lock is not None:
            os.close(lock)


def append_line(path: Path, line: str) -> None:
    """Add a line to a file of lines and wait until it is on the disk; the file and its folder are made if missing.

    A last line without an end, which a killed process or a full disk left, gets one first: it spoils no other line.

    Args:
        path: The file.
        line: Text without line breaks.

    Raises:
        UsageError: The folder cannot be made or written to, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            size = os.fstat(descriptor).st_size
            is_cut = size > 0 and _last_byte(descriptor, size) != b"\n"
            data = ("\n" if is_cut else "").encode() + line.encode() + b"\n"
            if os.write(descriptor, data) < len(data):  # as a disk does that has room for a part
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _cannot_write(path, error) from error


def _last_byte(descriptor: int, size: int) -> bytes:
    os.lseek(descriptor, size - 1, os.SEEK_SET)
    return os.read(descriptor, 1)


@contextmanager
def one_process_at_a_time(path: Path) -> Iterator[None]:
    """Wait until no other process is in such a block for ``path``, which may be missing: for a file that is read,
    changed and written again, or that is gone on with.

    Where no lock can be made, the block runs without one: its own writing says what is wrong with the place.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    place = path.with_name(f".{shortened_name(path.name)}.lock")
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(place, os.O_CREAT | os.O_RDWR, 0o666)
        except OSError:
            yield
            return
        try:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not _is_at(descriptor, place):  # the process before removed it, and a third may have made a new one
                continue
            try:
                yield
            finally:
                with suppress(OSError):
                    place.unlink()
            return
        finally:
            os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


def flush_to_disk(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    if path.is_dir() and os.name == "nt":  # which cannot open folders, and writes names by itself
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path, *, is_shared: bool = False) -> None:
    """Remove what killed processes left half-written in a folder.

    Args:
        folder: Place to clean; it may be missing.
        is_shared: Whether other processes may be writing there now: only files that no living process has locked are
            removed then, and none where the system has no such locks.
    """
    try:
        found = [path for path in folder.iterdir() if _TEMPORARY.fullmatch(path.name)]
    except OSError:
        return  # no such folder, or one that nothing can be written to either
    for path in found:
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                if _lock(descriptor) or not is_shared:
                    path.unlink(missing_ok=True)
            finally:
                os.close(descriptor)


def shortened_name(name: str, limit: int = MAX_NAME_BYTES) -> str:
    """Return a name of at most ``limit`` bytes: a longer one is cut and gets a hash, so that it stays its own.

    Args:
        name: File name, or the beginning of one.
        limit: Number of bytes in the file system's encoding.
    """
    encoded = os.fsencode(name)
    if len(encoded) <= limit:
        return name
    kept = encoded[: limit - 9].decode(errors="ignore")
    return f"{kept}-{hashlib.sha256(encoded).hexdigest()[:8]}"


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


def _lock(descriptor: int) -> bool:
    """Lock an open file for this process, which gives the lock up when it ends, however it ends.

    Returns:
        Whether the lock is held now: not where another process has it, or where the system has no such locks.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _closed_on_windows(descriptor: int) -> int | None:
    """Close the file on Windows, which renames no file that is open."""
    if os.name != "nt":
        return descriptor
    os.close(descriptor)
    return None


def _cannot_write(target: Path, error: OSError) -> UsageError:
    hint = _DISK_ERRORS.get(error.errno or 0, "give another output folder")
    return UsageError(f"cannot write {target}: {reason_of(error)}", hint=hint)
