"""Videos come back as they were written, and what cannot be written leaves one line and no file."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from geoinv import notices
from geoinv.errors import GeoinvError, MissingDependencyError, UsageError
from geoinv.present.video import usual_suffix, write_video

Picture = NDArray[np.uint8]


def frames(count: int = 6, side: int = 33) -> Iterator[Picture]:
    for index in range(count):
        frame = np.full((side, side, 3), 255, dtype=np.uint8)
        frame[8:24, 2 + 2 * index : 12 + 2 * index] = (200, 60, 20)
        yield frame


def heads(count: int, side: int = 96, background: int = 255) -> Iterator[Picture]:
    """A shaded, noisy disc that goes round once and changes from reddish to bluish and back."""
    rows, columns = np.mgrid[:side, :side] / side
    for index in range(count):
        turn = 2 * np.pi * index / count
        x, y = columns - 0.5 - 0.1 * np.sin(turn), rows - 0.5
        light = 1.0 - 2.0 * np.hypot(x + 0.1, y)
        blue = 0.5 - 0.5 * np.cos(turn)
        color = light[..., None] * np.array([250.0 - 150.0 * blue, 160.0, 90.0 + 150.0 * blue])
        color = color + np.random.default_rng(0).normal(0.0, 4.0, color.shape)
        frame = np.where((np.hypot(x, y) < 0.35)[..., None], color, background)
        yield frame.clip(0, 255).astype(np.uint8)


def decoded(path: Path) -> list[Picture]:
    with Image.open(path) as image:
        shown = []
        for index in range(image.n_frames):  # type: ignore[attr-defined]
            image.seek(index)
            shown.append(np.array(image.convert("RGB")))
        return shown


class TestGif:
    def test_frames_come_back(self, tmp_path: Path) -> None:
        write_video(tmp_path / "turn.gif", frames(), fps=10)
        with Image.open(tmp_path / "turn.gif") as image:
            assert image.n_frames == 6  # type: ignore[attr-defined]
            assert (image.info["duration"], image.info["loop"]) == (100, 0)
        assert all(np.array_equal(a, b) for a, b in zip(decoded(tmp_path / "turn.gif"), frames(), strict=True))

    @pytest.mark.parametrize("background", [255, 128])
    def test_the_background_stays_what_it_is(self, tmp_path: Path, background: int) -> None:
        write_video(tmp_path / "turn.gif", heads(12, background=background))
        for shown, frame in zip(decoded(tmp_path / "turn.gif"), heads(12, background=background), strict=True):
            is_background = (frame == background).all(axis=-1)
            assert is_background.mean() > 0.5
            assert (shown[is_background] == background).all()

    def test_every_frame_has_its_colours(self, tmp_path: Path) -> None:
        """A palette of the first frame lacks the blue of the sixth: it was up to 119 levels off, 17 on average."""
        write_video(tmp_path / "turn.gif", heads(12))
        for shown, frame in zip(decoded(tmp_path / "turn.gif"), heads(12), strict=True):
            blocks = [(picture.astype(float).reshape(24, 4, 24, 4, 3)).mean(axis=(1, 3)) for picture in (shown, frame)]
            assert np.abs(blocks[0] - blocks[1]).max() < 20.0
            assert np.abs(blocks[0] - blocks[1]).mean() < 1.0

    def test_the_loop_does_not_blink(self, tmp_path: Path) -> None:
        """Equal frames are shown equal, the first one too."""
        still = next(heads(1))
        write_video(tmp_path / "turn.gif", [still, *heads(5), still, still])
        shown = decoded(tmp_path / "turn.gif")
        assert np.array_equal(shown[0], shown[-1])
        assert np.array_equal(shown[0], shown[-2])
        assert np.array_equal(shown[0], shown[1])

    def test_memory_does_not_grow_with_the_frames(self, tmp_path: Path) -> None:
        tracemalloc.start()
        write_video(tmp_path / "turn.gif", (np.full((256, 256, 3), index, np.uint8) for index in range(150)))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 12e6  # 29.5 MB are written
        levels = [frame.mean() for frame in decoded(tmp_path / "turn.gif")]
        assert np.abs(np.array(levels) - np.arange(150)).max() < 4.0


class TestMp4:
    def test_frames_come_back(self, tmp_path: Path) -> None:
        import imageio_ffmpeg

        path = tmp_path / "turn.mp4"
        seen: list[int] = []
        write_video(path, frames(), fps=12, on_frame=seen.append)
        reader = imageio_ffmpeg.read_frames(str(path))
        meta = next(reader)
        shown = [np.frombuffer(data, np.uint8).reshape(34, 34, 3) for data in reader]
        assert meta["pix_fmt"].startswith("yuv420p") and meta["fps"] == 12
        assert len(shown) == 6 and seen == [1, 2, 3, 4, 5, 6]
        assert np.abs(shown[5][16, 16].astype(int) - (200, 60, 20)).max() < 25

    @pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for ffmpeg is a shell script")
    @pytest.mark.parametrize(
        ("script", "error", "message"),
        [
            ("echo '[x @ 1] Unknown encoder' >&2; echo 'Error opening' >&2; exit 8", GeoinvError, "Unknown encoder"),
            ("echo 'av_write(): No space left on device' >&2; exit 1", UsageError, "no space left on device"),
            ("cat > /dev/null; kill -9 $$", GeoinvError, "killed by signal 9"),
        ],
    )
    def test_ffmpegs_failure_is_one_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, error: type[GeoinvError], message: str
    ) -> None:
        stand_in = tmp_path / "ffmpeg"
        stand_in.write_text(f"#!/bin/sh\n{script}\n")
        stand_in.chmod(0o755)
        monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(stand_in))
        (tmp_path / "out").mkdir()
        with pytest.raises(error) as caught:
            write_video(tmp_path / "out" / "turn.mp4", heads(40))
        assert message in caught.value.message
        assert "turn.mp4" in caught.value.message and ".part" not in caught.value.message
        assert "\n" not in caught.value.message
        assert not list((tmp_path / "out").iterdir())

    def test_an_ffmpeg_that_does_not_run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "gone"))
        with pytest.raises(MissingDependencyError, match="does not run"):
            write_video(tmp_path / "turn.mp4", frames())
        assert not list(tmp_path.iterdir())

    def test_without_ffmpeg_the_usual_format_is_gif_and_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert (usual_suffix(), notices.given()) == ("mp4", [])
        monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
        assert usual_suffix() == "gif"
        assert notices.given()[0].startswith("videos are .gif instead of .mp4: no ffmpeg")


class TestEither:
    @pytest.mark.parametrize("suffix", [".mp4", ".gif"])
    def test_same_bytes(self, tmp_path: Path, suffix: str) -> None:
        for name in ("a", "b"):
            write_video(tmp_path / f"{name}{suffix}", heads(3))
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()

    @pytest.mark.parametrize("suffix", [".mp4", ".gif"])
    def test_failure_leaves_nothing(self, tmp_path: Path, suffix: str) -> None:
        def failing() -> Iterator[Picture]:
            yield from frames(2)
            raise RuntimeError("render failed")

        with pytest.raises(RuntimeError, match="render failed"):
            write_video(tmp_path / f"turn{suffix}", failing())
        assert not list(tmp_path.iterdir())

    def test_rejects_suffix(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"turn\.avi"):
            write_video(tmp_path / "turn.avi", frames())

    def test_rejects_no_frames(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no frames"):
            write_video(tmp_path / "turn.mp4", iter(()))
        assert not list(tmp_path.iterdir())
