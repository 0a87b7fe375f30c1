"""Videos: small clips in three containers, read frame by frame."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable
from pathlib import Path

from .kinds import Kind

VIDEO_KINDS = ("mp4", "webm", "avi")


def video_kinds() -> dict[str, Kind]:
    """Every kind by name."""
    return {name: Kind(f".{name}", _clips(name), _read) for name in VIDEO_KINDS}


def _clips(container: str) -> Callable[[Path], list[bytes]]:
    def make(folder: Path) -> list[bytes]:
        from geoinv.present.video import find_ffmpeg

        codec = {"mp4": "libx264", "webm": "libvpx", "avi": "mpeg4"}[container]
        path = folder / f"original.{container}"
        source = ("-f", "lavfi", "-i", "testsrc=size=96x80:rate=25:duration=0.4")
        subprocess.run([find_ffmpeg(), "-loglevel", "error", *source, "-c:v", codec, "-y", path], check=True)
        return [path.read_bytes()]

    return make


MAX_FRAMES = 10_000


def _read(path: Path) -> object:
    """All frames. Where its times are damaged, a clip of ten has some more, but an end."""
    from geoinv.video.reading import open_clip

    count = sum(1 for _ in itertools.islice(open_clip(path).frames(), MAX_FRAMES))
    assert count < MAX_FRAMES, "a damaged clip has no end"
    return count
