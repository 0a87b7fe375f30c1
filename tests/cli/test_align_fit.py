"""geoinv align --fit: the head mesh over the photo, and its codes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from geoinv.images import read_image

from .conftest import Done


def test_mesh_is_drawn_where_the_face_is(geoinv: Callable[..., Done], woman: Path) -> None:
    done = geoinv("align", woman, "--fit", "--out", "out", "--json")
    assert done.code == 0, done.err
    names = ["woman_aligned.json", "woman_aligned.png", "woman_fit.png"]
    assert sorted(path.name for path in Path("out").iterdir()) == names
    assert [Path(path).name for path in done.json["files"]] == ["woman_fit.png", "woman_aligned.png", names[0]]
    photo, drawn = read_image(woman), read_image(Path("out/woman_fit.png"))
    assert photo.shape == drawn.shape
    record = json.loads(Path("out/woman_aligned.json").read_text())
    changed = (photo != drawn).any(-1)
    to_crop = np.array(record["matrix"])
    nose = np.linalg.solve(to_crop[:, :2], np.array(record["landmarks"][1][:2]) - to_crop[:, 2]).astype(int)
    assert changed[nose[1], nose[0]] and not changed[:5].any()


def test_codes_are_in_the_record(geoinv: Callable[..., Done], woman: Path) -> None:
    assert geoinv("align", woman, "--fit", "--out", "out").code == 0
    fit = json.loads(Path("out/woman_aligned.json").read_text())["fit"]
    assert len(fit["identity"]) == 96 and fit["expression"]["mouthSmileLeft"] > 0.2
    assert 0.2 < fit["landmark_error_percent"] < 2.0


def test_needs_mediapipes_landmarks(geoinv: Callable[..., Done], woman: Path) -> None:
    geoinv("align", woman, "--fit", "--landmarks", "face-alignment").assert_fails(2, "--fit", "468")


def test_a_drawn_fit_is_not_taken_for_a_photo(geoinv: Callable[..., Done], woman: Path) -> None:
    Path("photos").mkdir()
    shutil.copy(woman, "photos/woman.jpg")
    assert geoinv("align", "photos/woman.jpg", "--fit", "--out", "photos").code == 0
    done = geoinv("align", "photos", "--out", "other", "--json")
    assert [result["photo"] for result in done.json["results"]] == ["woman.jpg"]
