"""A method that was asked for and cannot be had is an error; one that was the default says what ran instead."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tiny_models import write_tiny_weights

from .conftest import Done

COMMAND = ("--no-turntable", "--device", "cpu")


@pytest.fixture
def weights(tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the tiny weights, to take files away from."""
    folder = tmp_path / "weights"
    shutil.copytree(tiny_weights, folder)
    monkeypatch.setenv("GEOINV_WEIGHTS", str(folder))
    return folder


def of_another_encoder(weights: Path) -> None:
    other = write_tiny_weights(weights.parent / "other", seed=1)
    shutil.copy(other / "mini-details.safetensors", weights / "mini-details.safetensors")


def gone(weights: Path) -> None:
    (weights / "mini-details.safetensors").unlink()


@pytest.mark.parametrize("take_away", [gone, of_another_encoder])
def test_the_default_without_details(
    geoinv: Callable[..., Done], woman: Path, weights: Path, take_away: Callable[[Path], None]
) -> None:
    take_away(weights)
    done = geoinv("invert", woman, "--json", *COMMAND)
    assert done.code == 0
    said = [line for line in done.err.splitlines() if line.startswith("warning: heads lack")]
    assert len(said) == 1
    assert "mini-details.safetensors" in said[0]
    report = json.loads(Path("outputs/woman_report.json").read_text())
    for result in (done.json, report):
        assert result["method"] == "encoder"
        assert "encoder_psnr_db" not in result
        assert [f"warning: {text}" for text in result["warnings"] if "lack" in text] == said


@pytest.mark.parametrize("take_away", [gone, of_another_encoder])
def test_details_that_were_asked_for(
    geoinv: Callable[..., Done], woman: Path, weights: Path, take_away: Callable[[Path], None]
) -> None:
    take_away(weights)
    geoinv("invert", woman, "--method", "hybrid", *COMMAND).assert_fails(3, "mini-details", "--method encoder")
    assert not list(Path().glob("outputs/*"))
    geoinv("eval", "--method", "hybrid", "--limit", 1, "--device", "cpu").assert_fails(3, "mini-details")


def test_the_encoder_says_nothing_of_details(geoinv: Callable[..., Done], woman: Path, weights: Path) -> None:
    gone(weights)
    done = geoinv("invert", woman, "--method", "encoder", "--json", *COMMAND)
    assert done.code == 0
    assert not [text for text in done.json["warnings"] if "details" in text]


def test_hybrid_is_what_runs_by_default(geoinv: Callable[..., Done], woman: Path) -> None:
    asked = geoinv("invert", woman, "--json", "--method", "hybrid", "--out", "asked", *COMMAND).json
    default = geoinv("invert", woman, "--json", "--out", "default", *COMMAND).json
    assert asked["method"] == default["method"] == "hybrid"
    assert asked["psnr_db"] == default["psnr_db"]


def test_every_photo_of_a_batch_reports_it_and_it_is_said_once(
    geoinv: Callable[..., Done], woman: Path, weights: Path, tmp_path: Path
) -> None:
    gone(weights)
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg"):
        shutil.copy(woman, folder / name)
    done = geoinv("invert", folder, "--json", *COMMAND)
    assert done.err.count("warning: heads lack") == 1
    assert all(any("lack" in text for text in result["warnings"]) for result in done.json["results"])
    assert len([text for text in done.json["warnings"] if "lack" in text]) == 1


def test_optimisation_without_an_encoder_says_where_it_starts(
    geoinv: Callable[..., Done], woman: Path, weights: Path
) -> None:
    (weights / "mini-encoder.safetensors").unlink()
    done = geoinv("invert", woman, "--method", "optimise", "--steps", 1, "--json", *COMMAND)
    assert done.code == 0
    assert "warning: the model has no encoder: optimisation starts from its mean head" in done.err.splitlines()
    assert "the model has no encoder: optimisation starts from its mean head" in done.json["warnings"]


def test_a_head_with_details_is_not_shown_without(geoinv: Callable[..., Done], inverted: Path, weights: Path) -> None:
    gone(weights)
    geoinv("render", inverted, "--views", 1, "--device", "cpu").assert_fails(3, "has details", "mini-details")


def test_kernels_that_cannot_be_built_are_in_the_report(
    geoinv: Callable[..., Done], woman: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from geoinv.ops import _build

    monkeypatch.setenv("GEOINV_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "")
    _build.forget_outcomes()
    try:
        done = geoinv("invert", woman, "--json", *COMMAND)
    finally:
        _build.forget_outcomes()
    assert done.code == 0
    slow = [text for text in done.json["warnings"] if "as plain torch" in text]
    assert len(slow) == 1 == done.err.count("as plain torch")
    assert "no C++ compiler" in slow[0]


def test_without_ffmpeg_the_turntable_is_a_gif_unless_mp4_was_asked_for(
    geoinv: Callable[..., Done], woman: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    command = ("invert", woman, "--frames", 2, "--device", "cpu", "--json")
    done = geoinv(*command)
    assert done.code == 0
    assert Path("outputs/woman_turntable.gif") in [Path(path) for path in done.json["files"]]
    assert done.json["warnings"][0].startswith("videos are .gif instead of .mp4")
    geoinv(*command, "--turntable", "mp4", "--out", "asked").assert_fails(6, "no ffmpeg")
    assert not list(Path().glob("asked/*"))
