"""Videos of turning heads: .mp4 through imageio-ffmpeg's ffmpeg, .gif through Pillow; same frames, same bytes."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import GeoinvError, MissingDependencyError, UsageError
from ..files import atomic_path

Picture = NDArray[np.uint8]

VIDEO_SUFFIXES = (".mp4", ".gif")


def write_video(
    path: Path,
    frames: Iterable[Picture],  # each [H, W, 3], all of one size
    *,
    fps: int = 24,
    on_frame: Callable[[int], None] | None = None,
) -> None:
    """Write frames to ``path``, whole or not at all; the suffix picks the format.

    Args:
        path: Ends in .mp4 or .gif.
        frames: May be a generator: frames are drawn as they are needed.
        fps: Frames a second; a .gif rounds the time of a frame to 10 ms.
        on_frame: Called with the number of frames written so far.

    Raises:
        UsageError: Another suffix, or no frames.
        MissingDependencyError: No ffmpeg for .mp4.
    """
    path = Path(path)
    check_video_suffix(path)
    counted = _counted(iter(frames), on_frame)
    first = next(counted, None)
    if first is None:
        raise UsageError(f"no frames to write to {path}")
    write = _write_mp4 if path.suffix.lower() == ".mp4" else _write_gif
    with atomic_path(path) as temporary:
        write(temporary, first, counted, fps)


def check_video_suffix(path: Path) -> None:
    """Raise ``UsageError`` unless the path ends in .mp4 or .gif."""
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        raise UsageError(f"cannot write a video to {path}", f"give a path ending in {' or '.join(VIDEO_SUFFIXES)}")


def _counted(frames: Iterator[Picture], on_frame: Callable[[int], None] | None) -> Iterator[Picture]:
    for count, frame in enumerate(frames, start=1):
        yield frame
        if on_frame is not None:
            on_frame(count)


def _write_mp4(path: Path, first: Picture, rest: Iterator[Picture], fps: int) -> None:
    height, width = (side + side % 2 for side in first.shape[:2])  # yuv420p needs even sides
    command = [
        *(_ffmpeg(), "-hide_banner", "-loglevel", "error", "-y"),
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps), "-i", "-"),
        *("-an", "-c:v", "libx264", "-preset", "medium", "-crf", "18", "-pix_fmt", "yuv420p"),
        # One thread and no encoder tags: the bytes depend on the frames alone.
        *("-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-map_metadata", "-1"),
        *("-movflags", "+faststart", "-f", "mp4", f"file:{path}"),  # else a colon in the path names a protocol
    ]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    if process.stdin is None or process.stderr is None:
        raise AssertionError("pipes were asked for")
    try:
        for frame in chain([first], rest):
            process.stdin.write(_even(frame, height, width).tobytes())
    except BrokenPipeError:
        pass  # ffmpeg gave up: its message and exit code say why
    except BaseException:
        process.kill()
        process.communicate()
        raise
    _, message = process.communicate()
    if process.returncode != 0:
        raise _ffmpeg_error(message.decode(errors="replace"))


def _ffmpeg_error(message: str) -> OSError | GeoinvError:
    """Return what ffmpeg's message says: the system's error where it names one, such as a full disk."""
    for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO):
        if os.strerror(code) in message:
            return OSError(code, os.strerror(code))
    lines = message.strip().splitlines() or ["it ended without a message"]
    return GeoinvError(f"ffmpeg could not write the .mp4: {lines[-1]}", "write a .gif, which needs no ffmpeg")


def _ffmpeg() -> str:
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise MissingDependencyError(
            f"no ffmpeg to write .mp4 with: {error}", "pip install imageio-ffmpeg, or write a .gif"
        ) from error


def _even(frame: Picture, height: int, width: int) -> Picture:
    """Repeat the last row or column where a side is odd."""
    missing = ((0, height - frame.shape[0]), (0, width - frame.shape[1]), (0, 0))
    return frame if frame.shape[:2] == (height, width) else np.pad(frame, missing, mode="edge")


def _write_gif(path: Path, first: Picture, rest: Iterator[Picture], fps: int) -> None:
    from PIL import Image

    # One palette for all frames, from the first: frame-wise palettes flicker.
    palette = Image.fromarray(first).quantize(colors=255, method=Image.Quantize.MEDIANCUT)
    images = (Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for frame in rest)
    duration = max(round(100 / fps), 2) * 10
    palette.save(path, format="GIF", save_all=True, append_images=images, duration=duration, loop=0, optimize=False)
