"""geoinv invert of a video: an avatar that moves, its curves, a video of both."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from geoinv.present.video import write_video
from geoinv.video import Clip
from tests.avatar.gltf_reader import GltfReader
from tests.video.clips import ACTING

from .conftest import Done

FRAMES = 14


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clips end after some frames."""
    whole = Clip.frames

    def some(clip: Clip, fps: float | None = None) -> Iterator[np.ndarray]:
        for _, frame in zip(range(FRAMES if fps is None else 3), whole(clip, fps), strict=False):
            yield frame

    monkeypatch.setattr(Clip, "frames", some)


@pytest.mark.usefixtures("short")
def test_a_clip_becomes_an_avatar_that_moves(geoinv: Callable[..., Done]) -> None:
    done = geoinv("invert", ACTING, "--json", "--device", "cpu")
    assert done.code == 0, done.err
    names = {f"person2{ending}" for ending in ("_avatar.glb", "_curves.csv", "_beside.mp4", "_report.json", ".geoinv")}
    assert {path.name for path in Path("outputs").iterdir()} == names
    assert done.json["frames"] == FRAMES and done.json["frames_without_face"] == 0
    read = GltfReader(Path("outputs/person2_avatar.glb").read_bytes())
    (animation,) = read.document["animations"]
    assert len(read.array(animation["samplers"][0]["input"])) == FRAMES
    with Path("outputs/person2_curves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == FRAMES and rows[-1]["Timecode"] == "00:00:00:13.000"
    report = json.loads(Path("outputs/person2_report.json").read_text())
    assert re.fullmatch(r"[0-9a-f]{64}", report["photo_sha256"])
    geoinv("invert", ACTING).assert_fails(2, "person2_curves.csv exists", "--overwrite")
    assert geoinv("render", "--views", "2").code == 0


def test_what_is_for_photos_is_refused(geoinv: Callable[..., Done], woman: Path) -> None:
    geoinv("invert", ACTING, woman).assert_fails(2, "is a video, and there is more to invert", "by itself")
    geoinv("invert", ACTING, "--workers", "2").assert_fails(2, "a video does not go with --workers")
    geoinv("invert", ACTING, "--frames", "9").assert_fails(2, "a video does not go with --frames")
    assert not Path("outputs").exists()


def test_clips_without_a_face_or_time_are_one_line(geoinv: Callable[..., Done], tmp_path: Path) -> None:
    grey = tmp_path / "grey.mp4"
    write_video(grey, [np.full((128, 128, 3), 90, np.uint8)] * 6, fps=25)
    geoinv("invert", grey).assert_fails(5, "no face is found in", "6 frames were looked at")
    Path("text.mp4").write_text("no video")
    geoinv("invert", "text.mp4").assert_fails(5, "text.mp4 is no video that can be read")
    geoinv("invert", "gone.mp4").assert_fails(5, "cannot read gone.mp4")
    assert not Path("outputs").exists()
