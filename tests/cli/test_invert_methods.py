"""geoinv invert --method, --camera-label and --save-label."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geoinv.camera import CameraPose
from geoinv.camera.label_files import label_of, read_label, write_label
from geoinv.inversion import Inversion

from .conftest import EXAMPLES, Done

FAST = ("--no-turntable", "--device", "cpu", "--json")


def test_pti_tells_both_and_renders_from_the_file(geoinv: Callable[..., Done], woman: Path) -> None:
    done = geoinv("invert", woman, "--method", "pti", "--steps", "2", "--out", "out", *FAST)
    assert done.code == 0, done.err
    values = done.json
    assert (values["method"], values["steps"], values["interrupted"]) == ("pti", 2, False)
    for figure in ("face_psnr_db", "head_psnr_db", "identity", "identity_side"):
        assert {figure, f"encoder_{figure}"} <= set(values)
    assert (
        json.loads(Path("out/woman_report.json").read_text())["encoder_face_psnr_db"] == values["encoder_face_psnr_db"]
    )
    inversion = Inversion.load("out/woman.geoinv")
    assert inversion.tuning and inversion.method == "pti"
    assert geoinv("render", "out/woman.geoinv", "--views", "2", "--out", "out").code == 0
    assert geoinv("export-mesh", "out/woman.geoinv", "--resolution", "16", "--out", "out/woman.ply").code == 0


def test_hybrid_is_the_default_and_its_details_are_shown(geoinv: Callable[..., Done], woman: Path) -> None:
    plain = geoinv("invert", woman, "--method", "encoder", "--out", "plain", *FAST)
    hybrid = geoinv("invert", woman, "--out", "hybrid", *FAST)
    assert (plain.code, hybrid.code) == (0, 0), plain.err + hybrid.err
    assert (plain.json["method"], hybrid.json["method"]) == ("encoder", "hybrid")
    assert hybrid.json["encoder_psnr_db"] == plain.json["psnr_db"] != hybrid.json["psnr_db"]
    assert 0.0 < hybrid.json["details_change"] < 1.0 and "details_change" not in plain.json
    inversions = [Inversion.load(f"{out}/woman.geoinv") for out in ("plain", "hybrid")]
    assert np.array_equal(inversions[0].w_plus, inversions[1].w_plus)
    assert inversions[0].details is None and inversions[1].details is not None
    depths, colors = [], []
    for out in ("plain", "hybrid"):
        assert geoinv("render", f"{out}/woman.geoinv", "--yaw", "20", "--depth", "--out", out).code == 0
        stem = f"{out}/woman_yaw+20_pitch+0"
        color, depth = (Image.open(f"{stem}{kind}.png").resize((32, 32)) for kind in ("", "_depth"))
        colors.append(np.asarray(color, np.int16))
        depths.append(np.asarray(depth, np.int16))
        mesh = ("export-mesh", f"{out}/woman.geoinv", "--resolution", "16", "--out", f"{out}/woman.ply")
        assert geoinv(*mesh).code == 0
    assert np.abs(depths[0] - depths[1]).mean() < 2.0  # the depth is the same, but for the size of the picture
    assert np.abs(colors[0] - colors[1]).mean() > 4.0  # the colours are not
    assert Path("plain/woman.ply").read_bytes() != Path("hybrid/woman.ply").read_bytes()


def test_details_need_the_branch_that_shows_them(
    geoinv: Callable[..., Done], inverted: Path, woman: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_weights, "without")
    Path("without/mini-details.safetensors").unlink()
    monkeypatch.setenv("GEOINV_WEIGHTS", "without")
    geoinv("render", inverted, "--out", "out").assert_fails(3, "has details", "--method encoder")
    done = geoinv("invert", woman, "--out", "out", *FAST)
    assert done.code == 0 and done.json["method"] == "encoder"


def test_steps_are_repeatable(geoinv: Callable[..., Done], woman: Path) -> None:
    for out in ("a", "b"):
        assert geoinv("invert", woman, "--method", "optimise", "--steps", "2", "--out", out, *FAST).code == 0
    assert Path("a/woman.geoinv").read_bytes() == Path("b/woman.geoinv").read_bytes()


def test_time_budget_ends_it(geoinv: Callable[..., Done], woman: Path) -> None:
    done = geoinv("invert", woman, "--method", "optimise", "--time-budget", "0.5", "--out", "out", *FAST)
    assert done.code == 0 and done.json["steps"] < 1000
    assert done.json["encoder_face_psnr_db"] <= done.json["face_psnr_db"] + 3.0


def test_without_an_encoder(
    geoinv: Callable[..., Done], woman: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_weights, "alone")
    Path("alone/mini-encoder.safetensors").unlink()
    monkeypatch.setenv("GEOINV_WEIGHTS", "alone")
    geoinv("invert", woman, "--out", "out").assert_fails(3, "no encoder for model 'mini'", "--method optimise")
    done = geoinv("invert", woman, "--method", "optimise", "--steps", "2", "--out", "out", *FAST)
    assert done.code == 0, done.err
    assert "mean_face_psnr_db" in done.json


def test_interrupted(geoinv: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C keeps the best so far of the photo at hand and leaves the others alone."""
    from geoinv.inversion.optimise import descent

    def stop(report: object) -> None:
        raise KeyboardInterrupt

    plain = descent.descend
    monkeypatch.setattr("geoinv.inversion.optimise.refine.descend", lambda *args: plain(*args[:5], stop))
    Path("in").mkdir()
    for name in ("man", "woman"):
        shutil.copy(EXAMPLES / f"{name}.jpg", "in")
    done = geoinv("invert", "in", "--method", "optimise", "--out", "out", "--json", "--device", "cpu")
    assert done.code == 0, done.err
    assert not list(Path("out").glob("*.mp4"))
    assert [result["interrupted"] for result in done.json["results"]] == [True]
    assert Path("out/man.geoinv").is_file() and not Path("out/woman.geoinv").exists()
    assert "interrupted after 1 steps" in done.err


def test_budgets_are_for_optimisation(geoinv: Callable[..., Done], woman: Path) -> None:
    geoinv("invert", woman, "--steps", "3").assert_fails(2, "--steps goes with --method")
    geoinv("invert", woman, "--time-budget", "3").assert_fails(2, "--time-budget goes with --method")
    assert not Path("outputs").exists()


def test_camera_label(geoinv: Callable[..., Done], woman: Path) -> None:
    """The crop that a first run wrote, with the label of that run, is inverted where it is."""
    first = geoinv("invert", woman, "--out", "a", "--save-label", "a/dataset.json", *FAST)
    assert first.code == 0, first.err
    label = read_label(Path("a/dataset.json"), "woman_aligned.png")
    assert label == pytest.approx(label_of(Inversion.load("a/woman.geoinv").pose), abs=1e-5)
    turned = label_of(CameraPose.from_angles(0.2, 0.1))
    write_label(Path("label.tsv"), "woman_aligned.png", turned)
    done = geoinv("invert", "a/woman_aligned.png", "--out", "b", "--camera-label", "label.tsv", *FAST)
    assert done.code == 0, done.err
    again = Inversion.load("b/woman_aligned.geoinv")
    assert label_of(again.pose) == pytest.approx(turned, abs=1e-5)
    assert np.array_equal(again.photo, Inversion.load("a/woman.geoinv").photo)
    refined = geoinv(
        "invert", "a/woman_aligned.png", "--out", "c", "--camera-label", "label.tsv", "--method", "optimise",
        "--steps", "2", *FAST,
    )  # fmt: skip
    assert refined.code == 0, refined.err
    assert label_of(Inversion.load("c/woman_aligned.geoinv").pose) == pytest.approx(turned, abs=1e-5)


def test_labels_of_many(geoinv: Callable[..., Done]) -> None:
    Path("in").mkdir()
    for name in ("man", "woman"):
        shutil.copy(EXAMPLES / f"{name}.jpg", "in")
    geoinv("invert", "in", "--save-label", "all.npy").assert_fails(2, "all.npy holds one label")
    assert geoinv("invert", "in", "--out", "out", "--save-label", "all.json", *FAST).code == 0
    names = [name for name, _ in json.loads(Path("all.json").read_text())["labels"]]
    assert names == ["man_aligned.png", "woman_aligned.png"]


def test_label_mistakes(geoinv: Callable[..., Done], woman: Path) -> None:
    geoinv("invert", woman, "--camera-label", "none.json").assert_fails(2, "no such file: none.json")
    geoinv("invert", woman, "--save-label", "a.txt").assert_fails(2, "a.txt")
    Path("label.json").write_text("[1, 2, 3]")
    geoinv("invert", woman, "--camera-label", "label.json").assert_fails(2, "label.json", "25 finite numbers")
    geoinv("invert", woman, "--save-label", "label.json", "--camera-label", "label.json").assert_fails(2, "label.json")
    np.save("old.npy", np.zeros(25))
    geoinv("invert", woman, "--save-label", "old.npy").assert_fails(2, "old.npy exists", "--overwrite")
    assert "outputs" not in os.listdir(".")
