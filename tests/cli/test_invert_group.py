"""geoinv invert --same-person and --group: several photos, one head."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from geoinv.inversion import Inversion
from geoinv.inversion.group import joint_fit

from .conftest import EXAMPLES, Done

FAST = ("--no-turntable", "--device", "cpu")


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joint_fit, "STEPS", 4)


@pytest.fixture
def photos(woman: Path) -> Path:
    """A folder: a woman, the same in other light, and a man."""
    folder = Path("anna")
    folder.mkdir()
    shutil.copy(woman, folder / "a.jpg")
    cv2.imwrite(str(folder / "b.jpg"), cv2.convertScaleAbs(cv2.imread(str(woman)), alpha=0.8, beta=20))
    shutil.copy(EXAMPLES / "man.jpg", folder / "c.jpg")
    return folder


def test_photos_of_a_person_are_one_head_without_the_stranger(geoinv: Callable[..., Done], photos: Path) -> None:
    done = geoinv("invert", photos / "a.jpg", photos / "b.jpg", photos / "c.jpg", "--same-person", "-o", "out", *FAST)
    assert done.code == 0, done.err
    assert "c.jpg is left out: it shows someone else (identity distance" in done.err
    report = json.loads(Path("out/a_report.json").read_text())
    assert [photo["used"] for photo in report["photos"]] == [True, True, False]
    assert report["method"] == "group"
    for shares in report["seen_by_photo"].values():
        assert set(shares) == {"a.jpg", "b.jpg", "guessed"}
        assert sum(shares.values()) == pytest.approx(1.0, abs=1e-3)
    inversion = Inversion.load("out/a.geoinv")
    assert [other.source for other in inversion.others] == ["b.jpg"]
    assert {path.name for path in Path("out").iterdir()} == {
        *("a.geoinv", "a_aligned.png", "a_inversion.png", "a_seen.png", "a_report.json")
    }
    assert geoinv("render", "out/a.geoinv", "--views", "2", "--seen", "--out", "out").code == 0
    assert geoinv("edit", "out/a.geoinv", "--attr", "smile", "--views", "2", "--out", "out").code == 0
    assert geoinv("export-mesh", "out/a.geoinv", "--resolution", "16", "--out", "out/a.ply").code == 0


def test_a_folder_is_a_person_and_is_done_once(geoinv: Callable[..., Done], photos: Path) -> None:
    (photos / "c.jpg").unlink()
    shutil.copytree(photos, "berta")
    run = ("invert", "anna", "berta", "--group", "-o", "out", *FAST, "--json")
    done = geoinv(*run)
    assert done.code == 0, done.err
    assert [result["path"] for result in done.json["results"]] == ["anna", "berta"]
    assert Path("out/anna.geoinv").is_file() and Path("out/berta.geoinv").is_file()
    assert geoinv(*run).json["skipped"] == ["anna", "berta"]
    cv2.imwrite("berta/b.jpg", cv2.flip(cv2.imread("berta/b.jpg"), 1))
    again = geoinv(*run)
    assert again.code == 1
    assert again.json["skipped"] == ["anna"]
    assert "from another version of this one" in again.json["failed"][0]["error"]


def test_a_photo_without_a_face_is_left_out(geoinv: Callable[..., Done], photos: Path) -> None:
    import numpy as np

    cv2.imwrite("anna/c.jpg", np.full((300, 300, 3), 120, np.uint8))
    done = geoinv("invert", "anna", "--group", "-o", "out", *FAST)
    assert done.code == 0, done.err
    assert "c.jpg" in done.err and "left out" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.jpg", "--group"), "--group takes a folder for each person, a.jpg is none"),
        (("anna", "--group", "--same-person"), "--same-person does not go with --group"),
        (("anna", "--same-person", "--method", "pti"), "--same-person does not go with --method"),
        (("anna", "--group", "--face", "1"), "--group does not go with --face"),
        (("gone.jpg", "anna/a.jpg", "--same-person"), "gone.jpg"),
    ],
)
def test_refused(geoinv: Callable[..., Done], photos: Path, arguments: tuple[str, ...], message: str) -> None:
    done = geoinv("invert", *arguments, "-o", "out", *FAST)
    assert done.code != 0
    assert message in done.err
