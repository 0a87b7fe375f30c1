"""Reading videos: frames as they are, and one line for whatever is no video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from geoinv import notices
from geoinv.errors import PhotoError
from geoinv.present.video import write_video
from geoinv.video import open_clip


def _write(path: Path, frames: int, fps: float = 25.0, size: tuple[int, int] = (96, 64)) -> Path:
    """Frames that brighten by 2 levels each."""
    pictures = [np.full((size[1], size[0], 3), 20 + 2 * number, np.uint8) for number in range(frames)]
    write_video(path, pictures, fps=fps)
    return path


def test_frames_come_in_order_and_size(tmp_path: Path) -> None:
    clip = open_clip(_write(tmp_path / "clip.mp4", 12))
    assert clip.fps == 25.0 and clip.seconds == pytest.approx(12 / 25, abs=0.02)
    frames = list(clip.frames())
    assert len(frames) == 12 and {frame.shape for frame in frames} == {(64, 96, 3)}
    means = [float(frame.mean()) for frame in frames]
    np.testing.assert_allclose(means, 20.0 + 2.0 * np.arange(12), atol=2.0)


def test_frames_may_be_fewer(tmp_path: Path) -> None:
    assert len(list(open_clip(_write(tmp_path / "clip.mp4", 50)).frames(fps=5.0))) == 10


@pytest.mark.parametrize(("fps", "exact"), [(29.97, 30000 / 1001), (23.976, 24000 / 1001), (12.5, 12.5)])
def test_odd_rates_are_kept(tmp_path: Path, fps: float, exact: float) -> None:
    assert open_clip(_write(tmp_path / "clip.mp4", 10, fps)).fps == pytest.approx(exact)


@pytest.mark.parametrize(("fps", "word"), [(1.0, "few"), (500.0, "many")])
def test_rates_without_sense_are_refused(tmp_path: Path, fps: float, word: str) -> None:
    with pytest.raises(PhotoError, match=f"too {word} to follow a face"):
        open_clip(_write(tmp_path / "clip.mp4", 4, fps))


def test_a_large_frame_is_reduced(tmp_path: Path) -> None:
    (frame,) = open_clip(_write(tmp_path / "clip.mp4", 1, size=(2560, 128))).frames()
    assert frame.shape == (96, 1920, 3)


def test_leaving_early_ends_ffmpeg(tmp_path: Path) -> None:
    frames = open_clip(_write(tmp_path / "clip.mp4", 40)).frames()
    next(frames)
    frames.close()


def test_whatever_is_no_video_is_one_line(tmp_path: Path) -> None:
    still = tmp_path / "still.mp4"
    Image.new("RGB", (80, 80)).save(still, "JPEG")
    text, empty = tmp_path / "text.mp4", tmp_path / "empty.mp4"
    text.write_text("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n")
    empty.write_bytes(b"")
    small = _write(tmp_path / "small.mp4", 3, size=(32, 32))
    expected = {
        still: "is a picture, not a video",
        text: "is no video that can be read",
        empty: "is empty",
        tmp_path / "missing.mp4": "no such file",
        small: "is too small: 32 x 32",
    }
    for path, message in expected.items():
        with pytest.raises(PhotoError, match=message) as caught:
            open_clip(path)
        assert caught.value.hint


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_a_damaged_avif_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "damaged.mp4"
    Image.new("RGB", (80, 80)).save(path, "AVIF")
    no_item = path.read_bytes().replace(b"pitm\0\0\0\0\0\1", b"pitm\0\0\0\0\0\0")
    path.write_bytes(no_item)
    with pytest.raises(RuntimeError):
        Image.open(path)
    with pytest.raises(PhotoError, match="damaged.mp4"):
        open_clip(path)


def test_a_clip_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    whole = _write(tmp_path / "clip.mp4", 40, size=(640, 480))
    import subprocess

    from geoinv.present.video import find_ffmpeg

    noisy = ["-f", "lavfi", "-i", "testsrc2=size=640x480:rate=25:duration=2"]
    subprocess.run([find_ffmpeg(), "-loglevel", "error", *noisy, str(path)], check=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames = list(open_clip(path).frames())
    assert 5 < len(frames) < 45
    whole.write_bytes(whole.read_bytes()[:60])
    with pytest.raises(PhotoError, match="no video that can be read"):
        open_clip(whole)
    assert notices.given() is not None
