"""Photos from pipes."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from geoinv.cli import pipes
from geoinv.errors import PhotoError

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")


def pipe_with(*blocks: bytes, pause: float = 0.0) -> Path:
    """A named pipe, and a thread that writes into it."""
    path = Path("pipe.jpg")
    os.mkfifo(path)

    def write() -> None:
        with path.open("wb", buffering=0) as stream:
            for block in blocks:
                stream.write(block)
                threading.Event().wait(pause)

    threading.Thread(target=write, daemon=True).start()
    return path


def test_all_that_is_written_is_read() -> None:
    data = bytes(range(256)) * 1000  # more than a pipe holds
    assert pipes.read_pipe(pipe_with(data[:1], data[1:], pause=0.1)) == data


def test_a_pipe_that_nobody_writes_into_is_not_waited_for() -> None:
    os.mkfifo("pipe.jpg")
    with pytest.raises(PhotoError, match="nothing was written into pipe.jpg"):
        pipes.read_pipe(Path("pipe.jpg"), wait_s=0.1)


def test_endless_pipes_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipes, "MAX_BYTES", 1 << 20)
    with pytest.raises(PhotoError, match="more than 1 MB"):
        pipes.read_pipe(pipe_with(bytes(3 << 20)))


def test_an_unreadable_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PhotoError, match="cannot read gone: no such file"):
        pipes.read_pipe(Path("gone"))
