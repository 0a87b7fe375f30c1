"""Values and pairs of options that make no sense: each has a message of its own and exit code 2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geoinv.inversion import Inversion

from .conftest import Done


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--yaw", "nan"], ["--yaw 'nan'", "not a number of degrees"]),
        (["--yaw", "0,inf"], ["--yaw '0,inf'", "'inf' is not a number"]),
        (["--yaw", "1e9"], ["--yaw '1e9'", "between -360 and 360"]),
        (["--pitch", "nan"], ["--pitch 'nan'", "not a number of degrees"]),
        (["--pitch", "90"], ["--pitch '90'", "between -89 and 89"]),
        (["--yaw", "1,,2"], ["--yaw '1,,2'", "'' is not a number"]),
        (["--seed", "1e20"], ["--seed", "1e20"]),
        (["--seed", "100000000000000000000"], ["--seed", "4294967295"]),
        (["--seed", "-1"], ["--seed", "-1"]),
        (["--frames", "5"], ["--frames goes with --video or --gif"]),
        (["--frames", "5", "--views", "2"], ["--frames goes with --video or --gif"]),
    ],
)
def test_render_options(geoinv: Callable[..., Done], inverted: Path, options: list[str], parts: list[str]) -> None:
    geoinv("render", inverted, *options).assert_fails(2, *parts)
    assert not Path("outputs").exists()


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--attr", "smile=nan"], ["--attr smile=nan", "'nan' is not a finite number"]),
        (["--attr", "smile=1e999"], ["--attr smile=1e999", "'1e999' is not a finite number"]),
        (["--attr", "=1"], ["names no attribute"]),
        (["--attr", "smile", "--strength", "nan"], ["--strength", "nan is not a finite number"]),
        (["--attr", "smile", "--keep-identity", "nan"], ["--keep-identity", "nan"]),
        (["--attr", "smile=1", "--strength", "2"], ["--strength changes nothing"]),
        (["--attr", "smile", "--strip", "3", "--views", "2"], ["--strip does not go with --views"]),
        (["--list"], ["--list does not go with INVERSION"]),
    ],
)
def test_edit_options(geoinv: Callable[..., Done], inverted: Path, options: list[str], parts: list[str]) -> None:
    geoinv("edit", inverted, *options).assert_fails(2, *parts)
    assert not Path("outputs").exists()


def test_seeds_up_to_the_limit(geoinv: Callable[..., Done], inverted: Path) -> None:
    assert geoinv("render", inverted, "--views", "1", "--seed", 2**32 - 1).code == 0


def test_edits_are_named_by_what_was_done(geoinv: Callable[..., Done], inverted: Path) -> None:
    """Not by what was asked for: here an identity distance of 0 leaves nothing of the smile."""
    edit = ("edit", inverted, "--attr", "smile", "--save", "--json")
    bound = geoinv(*edit, "--keep-identity", "0")
    assert bound.code == 0, bound.err
    assert [Path(file).name for file in bound.json["files"]] == ["woman_smile+0.png", "woman_smile+0.geoinv"]
    assert (bound.json["edits"], bound.json["asked"]) == ({"smile": 0.0}, {"smile": 1.0})
    free = geoinv(*edit, "--keep-identity", "10")
    assert [Path(file).name for file in free.json["files"]] == ["woman_smile.png", "woman_smile.geoinv"]
    assert "asked" not in free.json
    assert Inversion.load("outputs/woman_smile.geoinv").edits == free.json["edits"] == {"smile": 1.0}


def test_strip_and_sheet_have_names_of_their_own(geoinv: Callable[..., Done], inverted: Path) -> None:
    sheet = geoinv("edit", inverted, "--attr", "smile", "--json")
    strip = geoinv("edit", inverted, "--attr", "smile", "--strip", "3", "--json")
    assert (sheet.code, strip.code) == (0, 0), strip.err
    assert [sheet.json["files"], strip.json["files"]] == [
        ["outputs/woman_smile.png"],
        ["outputs/woman_smile_strip.png"],
    ]
    shapes = [np.asarray(Image.open(done.json["files"][0])).shape for done in (sheet, strip)]
    assert shapes[0] != shapes[1]


def test_long_names_of_edits_are_shortened(geoinv: Callable[..., Done], inverted: Path) -> None:
    long = Path("x" * 230 + ".geoinv")
    long.write_bytes(inverted.read_bytes())
    done = geoinv("edit", long, "--attr", "smile=-0.123", "--attr", "age", "--attr", "hair_dark", "--save", "--json")
    assert done.code == 0, done.err
    assert [Path(file).is_file() for file in done.json["files"]] == [True, True]
    assert geoinv("render", long, "--yaw", "12.345", "--seen").code == 0


def test_a_bounded_strength_is_in_names_json_and_warnings(geoinv: Callable[..., Done], inverted: Path) -> None:
    done = geoinv("edit", inverted, "--attr", "smile=1e9", "--views", 1, "--json", "--device", "cpu", "--out", "o")
    assert done.code == 0
    applied = done.json["edits"]["smile"]
    assert 0.0 < applied < 100.0
    assert done.json["asked"] == {"smile": 1e9}
    assert [Path(path).name for path in done.json["files"]] == [f"{inverted.stem}_smile{applied:+g}.png"]
    assert done.json["warnings"] == [line.removeprefix("warning: ") for line in done.err.splitlines()]
    assert "is applied" in done.err


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--fixed-camera"], ["--fixed-camera goes with --method optimise or pti"]),
        (["--no-turntable", "--turntable", "gif"], ["--no-turntable does not go with --turntable"]),
        (["--no-turntable", "--frames", "4"], ["--frames goes with a turntable"]),
        (["--no-turntable", "--frame", "photo"], ["--frame goes with a turntable"]),
        (["--camera-label", "label.json", "--face", "2"], ["--camera-label does not go with --face"]),
        (["--method", "pti", "--time-budget", "nan"], ["--time-budget", "nan"]),
    ],
)
def test_invert_options(geoinv: Callable[..., Done], woman: Path, options: list[str], parts: list[str]) -> None:
    geoinv("invert", woman, *options).assert_fails(2, *parts)
    assert not Path("outputs").exists()


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--ablation", "--method", "encoder"], ["--ablation does not go with --method"]),
        (["--ablation", "--set", "photos"], ["--ablation does not go with --set"]),
        (["--no-geometry", "x.safetensors"], ["--no-geometry goes with --ablation"]),
    ],
)
def test_eval_options(geoinv: Callable[..., Done], options: list[str], parts: list[str]) -> None:
    geoinv("eval", *options).assert_fails(2, *parts)


def test_files_of_the_wrong_kind(geoinv: Callable[..., Done], woman: Path) -> None:
    Path("deep.json").write_text('{"labels": ' + "[" * 100_000 + "]" * 100_000 + "}")
    Path("huge.json").write_text('{"labels": [["woman.jpg", [' + ", ".join(["1" + "0" * 400] * 25) + "]]]}")
    Path("folder.json").mkdir()
    for name, part in (("deep.json", "deep.json"), ("huge.json", "25 numbers"), ("folder.json", "folder.json")):
        geoinv("invert", woman, "--camera-label", name).assert_fails(2, part)
    Path("woman_report.json").write_text("{}")
    geoinv("render", "woman_report.json").assert_fails(
        3, "not a geoinv inversion", "make one with `geoinv invert PHOTO`"
    )


def test_what_killed_runs_left_is_removed(geoinv: Callable[..., Done], inverted: Path) -> None:
    pytest.importorskip("fcntl")
    Path("out").mkdir()
    left = Path("out/.woman_turntable-0123abcd.part.mp4")
    for path in (left, Path("out/.hidden"), Path("out/mine.part.mp4")):
        path.touch()
    assert geoinv("render", inverted, "--views", "1", "--out", "out").code == 0
    assert sorted(path.name for path in Path("out").iterdir()) == [".hidden", "mine.part.mp4", "woman_views.png"]


def test_models_are_named_without_their_folder(geoinv: Callable[..., Done], woman: Path, tiny_weights: Path) -> None:
    path = tiny_weights / "mini-generator.safetensors"
    done = geoinv("invert", woman, "--model", path, "--no-turntable", "--device", "cpu", "--json")
    assert (done.code, done.json["model"]) == (0, "mini"), done.err
    assert str(tiny_weights) not in Path("outputs/woman_report.json").read_text()


def test_views_frame_the_whole_head_or_the_crop(geoinv: Callable[..., Done], inverted: Path) -> None:
    """The photo's crop is what the library renders; the whole head is another picture, smaller in the same frame."""
    from geoinv import load
    from geoinv.present.view_pictures import view_pictures

    pictures = {}
    for frame in ("photo", "head"):
        done = geoinv("render", inverted, "--yaw", "35", "--frame", frame, "--out", frame, "--device", "cpu", "--json")
        assert done.code == 0, done.err
        pictures[frame] = np.asarray(Image.open(done.json["files"][0]))
    session = load(device="cpu")
    loaded = Inversion.load(inverted)
    crop = view_pictures(session.enlarged(loaded).view(session.cameras(loaded, yaw_deg=35.0)))[0]
    assert np.array_equal(pictures["photo"], crop)
    assert np.abs(pictures["head"].astype(int) - crop).max() > 20
    default = geoinv("render", inverted, "--yaw", "35", "--device", "cpu", "--json").json["files"][0]
    assert np.array_equal(np.asarray(Image.open(default)), pictures["head"])


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["all", "--hours", "inf"], ["--hours", "inf is not a finite number"]),
        (["generator", "--data", "a", "--validation", "b", "--minutes", "inf"], ["--minutes", "inf is not a finite"]),
        (["encoder", "--data", "a", "--validation", "b", "--learning-rate", "nan"], ["--learning-rate", "nan"]),
        (["encoder"], ["no heads to train on", "--self"]),
        (["all", "--size", "large"], ["--size goes with --self"]),
        (["all", "--self", "--workers", "3"], ["--self does not go with --workers"]),
        (["local", "--data", "a"], ["no heads to train on", "--validation"]),
        (["encoder", "--self", "--data", "a"], ["--self does not go with --data"]),
        (["local", "--data", "a", "--validation", "b", "--new-samples", "2"], ["--new-samples goes with --self"]),
    ],
)
def test_train_options(geoinv: Callable[..., Done], options: list[str], parts: list[str]) -> None:
    geoinv("train", *options).assert_fails(2, *parts)
    assert not Path("runs").exists()
