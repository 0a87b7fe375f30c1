"""Photos that come through pipes: ``-``, /dev/stdin, ``<(...)`` of a shell, and named pipes."""

from __future__ import annotations

import os
import select
import sys
import time
from pathlib import Path

from ..errors import PhotoError, unreadable

MAX_BYTES = 512 * 1024 * 1024
"""Largest photo that is read from a pipe, which says nothing of its length beforehand."""

_WAIT_FOR_WRITER_S = 5.0
_BLOCK = 1 << 20


def is_stdin(path: Path) -> bool:
    """Whether a path stands for the standard input."""
    return str(path) in ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")


def read_stdin() -> bytes:
    """Return all that is piped into the program.

    Raises:
        PhotoError: Nothing is piped, or more than ``MAX_BYTES``.
    """
    hint = "pipe a photo into it: geoinv align - < photo.jpg"
    if sys.stdin is None:
        raise PhotoError("standard input is closed", hint)
    if sys.stdin.isatty():
        raise PhotoError("standard input is a terminal, not a photo", hint)
    return _within_limit(sys.stdin.buffer.read(MAX_BYTES + 1), "standard input")


def read_pipe(path: Path, wait_s: float = _WAIT_FOR_WRITER_S) -> bytes:
    """Return all that another program writes into a named pipe.

    Args:
        path: The pipe.
        wait_s: Seconds to wait for a program that writes; once there is one, its pauses do not matter.

    Raises:
        PhotoError: Nobody writes, it cannot be read, or holds more than ``MAX_BYTES``.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # without it, opening waits for a writer for ever
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        return _within_limit(_read_all(descriptor, path, time.monotonic() + wait_s), str(path))
    finally:
        os.close(descriptor)


def _read_all(descriptor: int, path: Path, deadline: float) -> bytes:
    blocks: list[bytes] = []
    size = 0
    while size <= MAX_BYTES:
        try:
            block = os.read(descriptor, _BLOCK)
        except BlockingIOError:  # there is a writer, which pauses
            select.select([descriptor], [], [])
            continue
        if block:
            blocks.append(block)
            size += len(block)
        elif blocks:
            break
        elif time.monotonic() > deadline:
            raise PhotoError(f"nothing was written into {path}", "start the program that writes into it first")
        else:
            time.sleep(0.05)
    return b"".join(blocks)


def _within_limit(data: bytes | None, name: str) -> bytes:
    if not data:
        raise PhotoError(f"{name} is empty", "check what writes into it")
    if len(data) > MAX_BYTES:
        raise PhotoError(f"{name} holds more than {MAX_BYTES >> 20} MB", "no photo is so large; give the file itself")
    return data
