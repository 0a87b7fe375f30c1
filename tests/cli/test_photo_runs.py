"""Runs of many photos: no person's photo is lost in silence, one bad photo does not stop the rest."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from geoinv.inversion import Inversion

from .conftest import EXAMPLES, Done

FAST = ("--no-turntable", "--device", "cpu", "--json")


@pytest.fixture
def people() -> tuple[Path, Path]:
    """``one/photo.jpg`` and ``two/photo.jpg``, of two people."""
    photos = Path("one/photo.jpg"), Path("two/photo.jpg")
    for photo, name in zip(photos, ("man", "woman"), strict=True):
        photo.parent.mkdir()
        Image.open(EXAMPLES / f"{name}.jpg").resize((400, 400)).save(photo)
    return photos


def names(folder: str = "out") -> list[str]:
    """Files of results; the manifest has tests of its own."""
    return sorted(name for name in os.listdir(folder) if name != "manifest.jsonl")


def test_photos_of_one_name_in_one_run(geoinv: Callable[..., Done], people: tuple[Path, Path]) -> None:
    done = geoinv("align", "one", "two", "--out", "out", "--json")
    assert done.code == 0, done.err
    assert names() == [f"{folder}_photo_aligned.{suffix}" for folder in ("one", "two") for suffix in ("json", "png")]
    again = geoinv("align", "one", "two", "--out", "out", "--json")
    assert (again.code, again.json["skipped"], again.json["results"]) == (0, [str(path) for path in people], [])


def test_photos_of_one_name_in_two_runs(geoinv: Callable[..., Done], people: tuple[Path, Path]) -> None:
    """The second person is neither skipped as done nor written over the first."""
    assert geoinv("align", "one", "--out", "out").code == 0
    before = {name: (Path("out") / name).read_bytes() for name in names()}
    second = geoinv("align", "two", "--out", "out", "--json")
    assert (second.code, second.json["skipped"]) == (1, [])
    assert "made from another photo" in second.json["failed"][0]["error"]
    assert "--out" in second.json["failed"][0]["hint"]
    assert {name: (Path("out") / name).read_bytes() for name in names()} == before
    assert geoinv("align", "two", "--out", "out", "--overwrite").code == 0
    assert (Path("out") / "photo_aligned.png").read_bytes() != before["photo_aligned.png"]


def test_a_newer_photo_is_not_done(geoinv: Callable[..., Done], people: tuple[Path, Path]) -> None:
    assert geoinv("align", "one", "--out", "out").code == 0
    ImageOps.mirror(Image.open(people[0])).save(people[0])
    newer = geoinv("align", "one", "--out", "out", "--json")
    assert (newer.code, newer.json["skipped"]) == (1, [])
    assert "another version of this one" in newer.json["failed"][0]["error"]


def test_other_settings_are_not_done(geoinv: Callable[..., Done], people: tuple[Path, Path]) -> None:
    assert geoinv("invert", "one", "--out", "out", "--method", "encoder", *FAST).code == 0
    same = geoinv("invert", "one", "--out", "out", "--method", "encoder", *FAST)
    assert (same.code, same.json["skipped"]) == (0, ["one/photo.jpg"])
    for options, said in (
        (["--method", "hybrid"], "method was encoder, now it is hybrid"),
        (["--method", "encoder", "--seed", "3"], "seed was 0, now it is 3"),
    ):
        other = geoinv("invert", "one", "--out", "out", *options, *FAST)
        assert (other.code, other.json["skipped"]) == (1, [])
        assert said in other.json["failed"][0]["error"]
    report = json.loads(Path("out/photo_report.json").read_text())
    assert report["settings"]["method"] == "encoder" and len(report["photo_sha256"]) == 64


def test_what_fell_back_is_not_done(
    geoinv: Callable[..., Done], people: tuple[Path, Path], tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the local branch the default is the encoder; with it, that result is not the default's."""
    shutil.copytree(tiny_weights, "weights")
    details = Path("weights/mini-details.safetensors")
    details.rename("details")
    monkeypatch.setenv("GEOINV_WEIGHTS", "weights")
    assert geoinv("invert", "one", "--out", "out", *FAST).code == 0
    Path("details").rename(details)
    again = geoinv("invert", "one", "--out", "out", *FAST)
    assert (again.code, again.json["skipped"]) == (1, [])
    assert "method was encoder, now it is hybrid" in again.json["failed"][0]["error"]
    assert geoinv("invert", "one", "--out", "out", "--method", "encoder", *FAST).json["skipped"] == ["one/photo.jpg"]


def test_missing_parts_are_not_done(geoinv: Callable[..., Done], people: tuple[Path, Path]) -> None:
    assert geoinv("align", "one", "--out", "out").code == 0
    done = geoinv("align", "one", "--out", "out", "--overlay", "--json")
    assert (done.code, len(done.json["results"])) == (0, 1)
    assert "photo_overlay.png" in names()


def test_labels_are_saved_of_done_photos_too(geoinv: Callable[..., Done], people: tuple[Path, Path]) -> None:
    assert geoinv("invert", "one", "--out", "out", "--method", "encoder", *FAST).code == 0
    done = geoinv("invert", "one", "--out", "out", "--method", "encoder", "--save-label", "label.json", *FAST)
    assert (done.code, len(done.json["results"]), Path("label.json").is_file()) == (0, 1, True)
    done = geoinv("invert", "one", "--out", "out", "--method", "encoder", "--save-label", "label.json", *FAST)
    assert len(done.json["skipped"]) == 1


def test_faces_of_one_photo(geoinv: Callable[..., Done], people: tuple[Path, Path]) -> None:
    pair = Image.new("RGB", (800, 400))
    for index, photo in enumerate(people):
        pair.paste(Image.open(photo), (400 * index, 0))
    pair.save("pair.png")
    for face in (1, 2):
        assert geoinv("align", "pair.png", "--out", "out", "--face", face).code == 0
    both = [Path(f"out/pair_face{face}_aligned.png").read_bytes() for face in (1, 2)]
    assert both[0] != both[1]
    largest = geoinv("align", "pair.png", "--out", "out", "--json")
    assert largest.code == 0 and "--face" in largest.err
    assert any("2 faces" in warning for warning in largest.json["warnings"])


def test_odd_names(geoinv: Callable[..., Done], people: tuple[Path, Path]) -> None:
    """Undecodable, long, with line breaks, with colours: each is done, and shown so that a terminal takes it."""
    Path("in").mkdir()
    odd = [
        os.fsdecode(b"not_utf8_\xff.jpg"),
        "x" * 246 + ".jpg",
        "two\nlines.jpg",
        "red\x1b[31m.jpg",
        "名前_e\u0301.jpg",
    ]
    for name in odd:
        shutil.copy(people[0], Path("in") / name)
    done = geoinv("invert", "in", "--out", "out", *FAST)
    assert done.code == 0, done.err
    assert sorted(result["photo"] for result in done.json["results"]) == sorted(odd)
    plain = geoinv("invert", "in", "--out", "plain", "--no-turntable", "--method", "encoder")
    assert plain.code == 0, plain.err
    for text in (plain.out, plain.err):
        assert "\x1b" not in text and "\udcff" not in text
    assert r"not_utf8_\udcff.jpg: " in plain.out and r"two\nlines.jpg: " in plain.out
    for result in done.json["results"]:
        assert Inversion.load(result["inversion"]).source == result["photo"]
        assert geoinv("render", result["inversion"], "--views", "1", "--out", "views", "-q").code == 0
        report = json.loads(Path(result["inversion"].removesuffix(".geoinv") + "_report.json").read_text())
        assert report["photo"] == result["photo"]


def test_folders_with_odd_names(geoinv: Callable[..., Done], people: tuple[Path, Path]) -> None:
    out = os.fsdecode(b"out_\xff [x] 12:30")
    done = geoinv("invert", people[0], "--out", out, "--frames", "2", "--device", "cpu", "--json")
    assert done.code == 0, done.err
    assert len(names(out)) == 6
    assert geoinv("edit", done.json["inversion"], "--attr", "smile", "--out", out, "--save").code == 0
    assert geoinv("export-mesh", done.json["inversion"], "--out", f"{out}/head.ply", "--resolution", "16").code == 0


def test_one_bad_path_does_not_stop_the_rest(geoinv: Callable[..., Done], people: tuple[Path, Path]) -> None:
    Path("empty").mkdir()
    long = "y" * 300 + ".jpg"
    done = geoinv("align", people[0], "gone.jpg", "empty", long, "https://x.org/p.jpg", "--out", "out", "--json")
    assert (done.code, len(done.json["results"]), len(done.json["failed"])) == (1, 1, 4)
    assert done.err.count("error: ") == 5 and "4 of 5 photos failed" in done.err
    assert "Traceback" not in done.err


def test_a_result_in_the_way_fails_its_photo_alone(geoinv: Callable[..., Done], people: tuple[Path, Path]) -> None:
    Path("out/one_photo_aligned.png").mkdir(parents=True)
    done = geoinv("align", "one", "two", "--out", "out", "--json")
    assert (done.code, len(done.json["results"]), len(done.json["failed"])) == (1, 1, 1)
    assert "it is a folder" in done.json["failed"][0]["error"]


def test_what_is_left_out_is_said(geoinv: Callable[..., Done], people: tuple[Path, Path]) -> None:
    Path("one/photo.cr2").touch()
    done = geoinv("align", "one", "--out", "out", "--json")
    assert (done.code, done.json["left_out"]) == (0, {".cr2": 1})
    assert "left out: 1 (.cr2)\n" in done.err
    same = geoinv("align", "one/photo.jpg", "two/../one/photo.jpg", "--out", "again", "--json")
    assert (same.code, len(same.json["results"])) == (0, 1)
    assert same.err.count("is the same photo as") == 1


def test_recursive(geoinv: Callable[..., Done], people: tuple[Path, Path]) -> None:
    geoinv("align", ".", "--out", "out").assert_fails(5, "only folders", "--recursive")
    done = geoinv("align", ".", "--out", "out", "--recursive", "--json")
    assert (done.code, len(done.json["results"])) == (0, 2)
    done = geoinv("align", ".", "--out", "out", "-r", "--json")  # what it made is no photo
    assert (done.code, len(done.json["skipped"]), done.json["results"]) == (0, 2, [])


def test_pipes(people: tuple[Path, Path]) -> None:
    root = str(Path(__file__).parents[2])
    for number, command in enumerate(
        (
            "geoinv align - --out out{} < one/photo.jpg",
            "cat one/photo.jpg | geoinv align /dev/stdin --out out{}",
            "geoinv align <(cat one/photo.jpg) --out out{}",
        )
    ):
        done = subprocess.run(
            ["bash", "-c", f'geoinv() {{ {sys.executable} -m geoinv "$@"; }}\n' + command.format(number)],
            env={**os.environ, "PYTHONPATH": root},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        stem = "pipe" if "<(" in command else "stdin"
        assert names(f"out{number}") == [f"{stem}_aligned.json", f"{stem}_aligned.png"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="users of Unix")
def test_what_may_not_be_read(people: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain user's run: root may read everything."""
    monkeypatch.delenv("GEOINV_WEIGHTS")
    code = (
        "import contextlib, io, os, sys\n"
        "import geoinv.cli.app as app\n"
        "with contextlib.redirect_stdout(io.StringIO()):  # first as root: Python itself may be closed to others\n"
        "    app.run(['align', 'open.jpg', 'gone.jpg', '--out', 'first', '--json', '-q'])\n"
        "if os.geteuid() == 0: os.seteuid(65534)\n"
        "sys.exit(app.run(['align', 'open.jpg', 'closed.jpg', 'locked/p.jpg', 'locked', '--out', 'out', '--json']))\n"
    )
    with tempfile.TemporaryDirectory() as place:  # pytest's own folders are closed to other users
        folder = Path(place)
        folder.chmod(0o777)
        (folder / "locked").mkdir()
        for name in ("open.jpg", "closed.jpg", "locked/p.jpg"):
            shutil.copy(people[0], folder / name)
        for name in ("closed.jpg", "locked"):
            (folder / name).chmod(0)
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            check=False,
        )
        (folder / "locked").chmod(0o700)
    assert done.returncode == 1, done.stderr
    values = json.loads(done.stdout)
    assert [result["path"] for result in values["results"]] == ["open.jpg"]
    assert sorted(failure["photo"] for failure in values["failed"]) == ["closed.jpg", "locked", "locked/p.jpg"]
    assert all("permission denied" in failure["error"] for failure in values["failed"])
