"""Frames of a video file, one after another, through imageio-ffmpeg's ffmpeg.

Only the usual containers are opened, and no addresses: lists of files and streams would have ffmpeg open other files.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ..errors import PhotoError, unreadable
from ..notices import notify
from ..present.video import find_ffmpeg

MIN_FPS, MAX_FPS = 5.0, 240.0
"""Frame rates between which a face can be followed."""

MAX_SIDE = 1920
"""Longer sides are reduced while frames are read: a face of 8K holds no more than the networks look at."""

MIN_FRAMES = 2
"""Fewer frames are a photo."""

_MIN_SIDE = 64
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf"
_GUARDS = ("-hide_banner", "-nostdin", "-protocol_whitelist", "file", "-format_whitelist", _CONTAINERS)
_STREAM = re.compile(r"Stream #\S+.*?: Video: .*?, (\d{2,5})x(\d{2,5})")
_RATES = (re.compile(r"([\d.]+k?) fps"), re.compile(r"([\d.]+k?) tbr"))
_DURATION = re.compile(r"Duration: (\d+):(\d\d):([\d.]+)")
_NTSC = {23.98: 24000.0, 29.97: 30000.0, 47.95: 48000.0, 59.94: 60000.0, 119.88: 120000.0}  # over 1001
_OTHER = "convert it to .mp4 first"


@dataclass(frozen=True)
class Clip:
    """A video file that can be read.

    Args:
        path: The file.
        fps: Frames a second.
        seconds: Length as the file says it; None where it does not.
    """

    path: Path
    fps: float
    seconds: float | None

    def frames(self, fps: float | None = None) -> Iterator[NDArray[np.uint8]]:
        """Upright RGB frames [H, W, 3], evenly spaced in time, one in memory at a time.

        Args:
            fps: Frames a second; the clip's own by default.

        Raises:
            PhotoError: There is not a single frame.
        """
        scale = f"scale='min(iw,{MAX_SIDE})':'min(ih,{MAX_SIDE})':force_original_aspect_ratio=decrease"
        command = [
            *(find_ffmpeg(), *_GUARDS, "-loglevel", "error", "-i", f"file:{self.path}"),
            *("-map", "0:v:0", "-vf", f"fps={fps or self.fps:.6f},{scale}", "-f", "image2pipe", "-c:v", "ppm", "-"),
        ]
        with tempfile.TemporaryFile() as said:  # not a pipe, which stops ffmpeg when nobody empties it
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)
            count = 0
            try:
                assert process.stdout is not None
                while (frame := _next_ppm(process.stdout)) is not None:
                    count += 1
                    yield frame
                process.wait()
            finally:
                process.kill()
                process.communicate()
            said.seek(0)
            cause = _first_line(said.read().decode(errors="replace"))
        if count == 0:
            raise PhotoError(f"{self.path} holds no frame that can be read{cause and ': ' + cause}", _OTHER)
        if cause:
            notify(f"{self.path.name} is damaged, {count} frames of it are read: {cause}")


def open_clip(path: Path) -> Clip:
    """Look at a video file.

    Raises:
        PhotoError: It cannot be read, is a picture or no video, or has no frame rate at which faces can be followed.
        MissingDependencyError: There is no ffmpeg.
    """
    try:
        with path.open("rb") as file:
            is_empty = not file.read(1)
    except OSError as error:
        raise unreadable(path, error) from error
    if is_empty:
        raise PhotoError(f"{path} is empty (0 bytes)", "check what writes it")
    if _is_picture(path):
        raise PhotoError(f"{path} is a picture, not a video", "give it the suffix of its kind, such as .jpg")
    command = [find_ffmpeg(), *_GUARDS, "-i", f"file:{path}"]
    said = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True).stderr.decode(errors="replace")
    stream = _STREAM.search(said)
    if stream is None:
        what = "holds no video" if "Stream #" in said else "is no video that can be read"
        raise PhotoError(f"{path} {what}", _OTHER)
    if min(int(side) for side in stream.groups()) < _MIN_SIDE:
        raise PhotoError(f"{path} is too small: {stream[1]} x {stream[2]}", f"its sides must be {_MIN_SIDE} or more")
    line = said[stream.start() : said.find("\n", stream.end())]
    return Clip(path, _rate_in(line, path), _seconds_in(said))


def _is_picture(path: Path) -> bool:
    from PIL import Image

    from ..images.pixels import DECODING_ERRORS

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path, formats=("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF")):
                return True
        except DECODING_ERRORS:
            return False


def _rate_in(line: str, path: Path) -> float:
    found = next((match for rate in _RATES if (match := rate.search(line)) is not None), None)
    if found is None:
        raise PhotoError(f"{path} does not say its frame rate", _OTHER)
    number = found[1]
    fps = 1000.0 * float(number[:-1]) if number.endswith("k") else float(number)
    if not MIN_FPS <= fps <= MAX_FPS:
        raise PhotoError(
            f"{path} has {fps:g} frames a second, too {'few' if fps < MIN_FPS else 'many'} to follow a face",
            f"convert it to {MIN_FPS:g} to {MAX_FPS:g} frames a second, such as 25",
        )
    return _NTSC[fps] / 1001.0 if fps in _NTSC else fps


def _seconds_in(said: str) -> float | None:
    found = _DURATION.search(said)
    return None if found is None else 3600.0 * int(found[1]) + 60.0 * int(found[2]) + float(found[3])


def _next_ppm(stream: IO[bytes]) -> NDArray[np.uint8] | None:
    """The next picture [H, W, 3] of a stream; None at its end, also within a picture."""
    magic, sizes, depth = stream.readline(), stream.readline().split(), stream.readline()
    if magic != b"P6\n" or len(sizes) != 2 or depth != b"255\n":
        return None
    width, height = int(sizes[0]), int(sizes[1])
    data = stream.read(width * height * 3)
    return None if len(data) < width * height * 3 else np.frombuffer(data, np.uint8).reshape(height, width, 3)


def _first_line(said: str) -> str:
    """What ffmpeg complained of first, without the address of the part that says it."""
    lines = [re.sub(r"^\[.*?\] ", "", line).strip() for line in said.splitlines()]
    return next((line for line in lines if line), "")
