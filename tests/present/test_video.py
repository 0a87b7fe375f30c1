import numpy as np
import pytest
from PIL import Image

from geoinv.errors import UsageError
from geoinv.present.video import write_video


def frames(count: int = 6, side: int = 33):
    for index in range(count):
        frame = np.full((side, side, 3), 255, dtype=np.uint8)
        frame[8:24, 2 + 2 * index : 12 + 2 * index] = (200, 60, 20)
        yield frame


class TestWriteVideo:
    def test_mp4_frames_come_back(self, tmp_path):
        import imageio_ffmpeg

        path = tmp_path / "turn.mp4"
        seen = []
        write_video(path, frames(), fps=12, on_frame=seen.append)
        reader = imageio_ffmpeg.read_frames(str(path))
        meta = next(reader)
        decoded = [np.frombuffer(data, np.uint8).reshape(34, 34, 3) for data in reader]
        assert meta["pix_fmt"].startswith("yuv420p") and meta["fps"] == 12
        assert len(decoded) == 6 and seen == [1, 2, 3, 4, 5, 6]
        assert np.abs(decoded[5][16, 16].astype(int) - (200, 60, 20)).max() < 25

    def test_gif_frames_come_back(self, tmp_path):
        write_video(tmp_path / "turn.gif", frames(), fps=10)
        with Image.open(tmp_path / "turn.gif") as image:
            assert image.n_frames == 6 and image.info["duration"] == 100 and image.info["loop"] == 0

    @pytest.mark.parametrize("suffix", [".mp4", ".gif"])
    def test_same_bytes(self, tmp_path, suffix):
        for name in ("a", "b"):
            write_video(tmp_path / f"{name}{suffix}", frames())
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()

    @pytest.mark.parametrize("suffix", [".mp4", ".gif"])
    def test_failure_leaves_nothing(self, tmp_path, suffix):
        def failing():
            yield from frames(2)
            raise RuntimeError("render failed")

        with pytest.raises(RuntimeError, match="render failed"):
            write_video(tmp_path / f"turn{suffix}", failing())
        assert not list(tmp_path.iterdir())

    def test_rejects_suffix(self, tmp_path):
        with pytest.raises(UsageError, match=r"turn\.avi"):
            write_video(tmp_path / "turn.avi", frames())

    def test_rejects_no_frames(self, tmp_path):
        with pytest.raises(UsageError, match="no frames"):
            write_video(tmp_path / "turn.mp4", iter(()))
        assert not list(tmp_path.iterdir())
