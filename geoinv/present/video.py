"""Videos of turning heads: .mp4 through imageio-ffmpeg's ffmpeg, .gif through Pillow; same frames, same bytes."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import GeoinvError, MissingDependencyError, UsageError
from ..files import atomic_path
from ..notices import notify
from ..progress import OnCount

if TYPE_CHECKING:
    from PIL import Image

Picture = NDArray[np.uint8]

VIDEO_SUFFIXES = (".mp4", ".gif")


def write_video(
    path: Path,
    frames: Iterable[Picture],  # each [H, W, 3], all of one size
    *,
    fps: float = 24,
    on_frame: OnCount | None = None,
) -> None:
    """Write frames to ``path``, whole or not at all; the suffix picks the format.

    Args:
        path: Ends in .mp4 or .gif.
        frames: May be a generator: frames are drawn as they are needed.
        fps: Frames a second; a .gif rounds the time of a frame to 10 ms.
        on_frame: Called with the number of frames written so far.

    Raises:
        UsageError: Another suffix, no frames, or a disk that is full or may not be written to.
        MissingDependencyError: No ffmpeg for .mp4, or one that does not run.
        GeoinvError: ffmpeg gives up; the message is its own.
    """
    path = Path(path)
    check_video_suffix(path)
    counted = _counted(iter(frames), on_frame)
    first = next(counted, None)
    if first is None:
        raise UsageError(f"no frames to write to {path}")
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".mp4":
            _write_mp4(temporary, path.name, first, counted, fps)
        else:
            _write_gif(temporary, first, counted, fps)


def usual_suffix() -> Literal["mp4", "gif"]:
    """``mp4``; without ffmpeg ``gif``, which is said: for videos whose format nobody asked for."""
    try:
        find_ffmpeg()
    except MissingDependencyError as error:
        notify(f"videos are .gif instead of .mp4: {error.message}")
        return "gif"
    return "mp4"


def check_video_suffix(path: Path) -> None:
    """Raise ``UsageError`` unless the path ends in .mp4 or .gif."""
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        raise UsageError(f"cannot write a video to {path}", f"give a path ending in {' or '.join(VIDEO_SUFFIXES)}")


def _counted(frames: Iterator[Picture], on_frame: OnCount | None) -> Iterator[Picture]:
    for count, frame in enumerate(frames, start=1):
        yield frame
        if on_frame is not None:
            on_frame(count)


def _write_mp4(path: Path, name: str, first: Picture, rest: Iterator[Picture], fps: float) -> None:
    height, width = (side + side % 2 for side in first.shape[:2])  # yuv420p needs even sides
    command = [
        *(find_ffmpeg(), "-hide_banner", "-loglevel", "error", "-y"),
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps), "-i", "-"),
        *("-an", "-c:v", "libx264", "-preset", "medium", "-crf", "18", "-pix_fmt", "yuv420p"),
        # One thread and no encoder tags: the bytes depend on the frames alone.
        *("-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-map_metadata", "-1"),
        *("-movflags", "+faststart", "-f", "mp4", f"file:{path}"),  # else a colon in the path names a protocol
    ]
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:  # not left to atomic_path, which would take it for a fault of the folder
        raise MissingDependencyError(f"ffmpeg does not run: {error}", "pip install imageio-ffmpeg") from error
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
    try:
        _, message = process.communicate()
    except BaseException:  # Ctrl-C while the last frames are encoded
        process.kill()
        process.communicate()
        raise
    if process.returncode != 0:
        raise _failure(name, process.returncode, message.decode(errors="replace"))


def _failure(name: str, code: int, message: str) -> OSError | GeoinvError:
    """The error that ended ffmpeg; an error of the disk is one of ours, as if this process had written the file."""
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO):
        if os.strerror(number).lower() in message.lower():
            return OSError(number, os.strerror(number))
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    cause = lines[0] if lines else f"killed by signal {-code}" if code < 0 else f"exit code {code}"
    return GeoinvError(f"ffmpeg could not write {name}: {cause}", "a .gif is written without ffmpeg")


def find_ffmpeg() -> str:
    """Return the program that writes .mp4 files.

    Raises:
        MissingDependencyError: There is none.
    """
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


def _write_gif(path: Path, first: Picture, rest: Iterator[Picture], fps: float) -> None:
    """Write a .gif with one palette for all frames: palettes of single frames flicker.

    Frames wait in a file, because the palette is known after the last one only; memory holds a few of them.
    """
    height, width = first.shape[:2]
    with tempfile.TemporaryFile(dir=path.parent) as waiting, path.open("wb") as file:
        samples = []
        for frame in chain([first], rest):
            waiting.write(frame.tobytes())
            samples.append(_sample(frame))
        waiting.seek(0)
        palette, exact = _palette(np.concatenate(samples))
        _write_gif_header(file, width, height, palette)
        shown = None
        while data := waiting.read(first.nbytes):
            indices = _indices(np.frombuffer(data, np.uint8).reshape(first.shape), palette, exact)
            _write_gif_frame(file, indices, shown, palette, duration_ms=max(round(100 / fps), 2) * 10)
            shown = indices
        file.write(b";")


_SAMPLES = 2048


def _sample(frame: Picture) -> NDArray[np.uint8]:
    """About ``_SAMPLES`` pixels [N, 3] of a frame, over all rows and columns."""
    pixels = frame.reshape(-1, 3)
    return pixels[:: max(len(pixels) // _SAMPLES, 1) | 1].copy()  # an odd step, or it would meet a few columns only


def _palette(samples: NDArray[np.uint8]) -> tuple[Image.Image, dict[int, tuple[int, int, int]]]:
    """An image that has the palette, and the entries that are exactly a colour of the frames.

    Those are white and the most frequent colour, so that the background stays what it is.
    """
    from PIL import Image

    packed = samples.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    colors, counts = np.unique(packed, return_counts=True)
    kept = {int(colors[counts.argmax()]), *({0xFFFFFF} & set(colors[-1:].tolist()))}
    others = samples[~np.isin(packed, list(kept))]
    entries: list[int] = []
    if len(others):
        cut = Image.fromarray(others[None]).quantize(colors=256 - len(kept), method=Image.Quantize.MEDIANCUT)
        entries = list(cut.getpalette() or [])[: 3 * (256 - len(kept))]
    exact = {}
    for color in sorted(kept):
        rgb = (color >> 16, color >> 8 & 255, color & 255)
        exact[len(entries) // 3] = rgb
        entries += rgb
    entries += entries[-3:] * (256 - len(entries) // 3)
    palette = Image.new("P", (1, 1))
    palette.putpalette(entries)
    return palette, exact


def _indices(frame: Picture, palette: Image.Image, exact: dict[int, tuple[int, int, int]]) -> NDArray[np.uint8]:
    """Palette entries [H, W] of a frame, dithered, but for colours that the palette has exactly."""
    from PIL import Image

    dithered = Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
    indices = np.array(dithered)
    for index, color in exact.items():  # Pillow rounds colours before it looks them up, and errors spread from the head
        indices[(frame == np.array(color, np.uint8)).all(axis=-1)] = index
    return indices


def _write_gif_header(file: BinaryIO, width: int, height: int, palette: Image.Image) -> None:
    """Size, palette and endless loop. Source: https://www.w3.org/Graphics/GIF/spec-gif89a.txt, 17 to 19 and 26."""
    file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF7, 0, 0))  # 0xF7: 256 colours of 8 bits for all
    file.write(bytes(palette.getpalette() or []))
    file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", 0, 0))


def _write_gif_frame(
    file: BinaryIO,
    indices: NDArray[np.uint8],  # [H, W]
    shown: NDArray[np.uint8] | None,  # [H, W] of the frame before
    palette: Image.Image,
    *,
    duration_ms: int,
) -> None:
    """Write what a frame changes."""
    from PIL import GifImagePlugin, Image

    top, left, bottom, right = 0, 0, *indices.shape
    if shown is not None:
        rows, columns = np.nonzero(indices != shown)
        top, bottom = (int(rows.min()), int(rows.max()) + 1) if len(rows) else (0, 1)
        left, right = (int(columns.min()), int(columns.max()) + 1) if len(rows) else (0, 1)
    changed = Image.fromarray(np.ascontiguousarray(indices[top:bottom, left:right]))
    changed.putpalette(palette.getpalette() or [])
    for block in GifImagePlugin.getdata(changed, (left, top), duration=duration_ms):
        file.write(block)
