"""Writing files whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import UsageError

# A full or read-only disk is the user's to mend; any other OSError inside the block is a bug and keeps its traceback.
_DISK_ERRORS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside ``path`` that takes its place when the block succeeds.

    The temporary name is hidden, ends in the same suffix and lies in the same folder, so that the replacement is one
    rename; on any exception it is removed and ``path`` is left as it was. Missing folders are made.

    Args:
        path: Where the finished file shall be; an existing file is replaced.

    Yields:
        The path to write to. It exists already, empty.

    Raises:
        UsageError: The folder cannot be made or written to, the disk is full, or ``path`` is a folder.
    """
    target = Path(path)
    if target.is_dir():
        raise UsageError(f"cannot write {target}: it is a folder", hint="give the name of a file")
    temporary = target.with_name(f".{target.stem}-{secrets.token_hex(4)}{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise _cannot_write(target, error) from error
    try:
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        if error.errno in _DISK_ERRORS:
            raise _cannot_write(target, error) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _cannot_write(target: Path, error: OSError) -> UsageError:
    reason = (error.strerror or str(error)).lower()
    return UsageError(f"cannot write {target}: {reason}", hint="choose an output folder that you may write to")
