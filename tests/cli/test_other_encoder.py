"""--encoder and --details: networks that do not lie beside their generator."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from geoinv.checkpoints.store import load_details_file, load_encoder_file, save_model, sha256_of
from geoinv.cli.train_stage import register_own
from geoinv.inversion import Inversion

from .conftest import Done


def elsewhere(weights: Path) -> tuple[Path, Path]:
    """Another encoder, and a local branch that was trained for it, in a folder of their own."""
    folder = Path("elsewhere")
    folder.mkdir()
    generator = sha256_of(weights / "mini-generator.safetensors")
    encoder, _ = load_encoder_file(weights / "mini-encoder.safetensors")
    encoder.w_avg += 0.1
    save_model(folder / "e.safetensors", encoder, encoder.config, {"generator_sha256": generator})
    branch, _ = load_details_file(weights / "mini-details.safetensors")
    with torch.no_grad():
        branch.film[-1].bias += 0.2
    made_for = {"generator_sha256": generator, "encoder_sha256": sha256_of(folder / "e.safetensors")}
    save_model(folder / "d.safetensors", branch, branch.config, made_for)
    return folder / "e.safetensors", folder / "d.safetensors"


def test_heads_are_made_and_shown_by_them(geoinv: Callable[..., Done], woman: Path, tiny_weights: Path) -> None:
    encoder, details = elsewhere(tiny_weights)
    usual = geoinv("invert", woman, "--no-turntable", "--out", "usual", "--json")
    options = ("--encoder", encoder, "--details", details, "--no-turntable", "--json")
    done = geoinv("invert", woman, *options, "--out", "other")
    assert usual.code == done.code == 0, done.err
    own, other = Inversion.load("usual/woman.geoinv"), Inversion.load("other/woman.geoinv")
    assert not torch.equal(own.w_plus, other.w_plus)
    assert own.branch is None and other.branch is not None and other.branch.sha256 == sha256_of(details)
    shown = geoinv("render", "other/woman.geoinv", "--yaw", "0", "--out", "shown", "--json")
    assert shown.code == 0, shown.err
    shutil.move(details, "moved.safetensors")
    geoinv("render", "other/woman.geoinv", "--yaw", "0").assert_fails(3, "no local branch", "back")
    shutil.copy(tiny_weights / "mini-details.safetensors", details)
    geoinv("render", "other/woman.geoinv", "--yaw", "0").assert_fails(3, "another local branch by now")


def test_they_must_have_been_trained_together(geoinv: Callable[..., Done], woman: Path, tiny_weights: Path) -> None:
    encoder, details = elsewhere(tiny_weights)
    base = ("invert", woman, "--no-turntable", "--method", "hybrid")
    geoinv(*base, "--encoder", encoder).assert_fails(3, "was trained for other weights", "trained together")
    geoinv(*base, "--details", details).assert_fails(3, "was trained for other weights")
    geoinv(*base, "--encoder", "nowhere.safetensors").assert_fails(3, "no such file")
    done = geoinv("invert", woman, "--no-turntable", "--encoder", encoder, "--json")
    assert done.code == 0 and done.json["method"] == "encoder"  # the default falls back, and says so


def test_a_file_keeps_which_branch(tmp_path: Path, geoinv: Callable[..., Done], woman: Path) -> None:
    geoinv("invert", woman, "--no-turntable", "--out", ".")
    inversion = Inversion.load("woman.geoinv")
    from geoinv.inversion.saved import BranchFile

    changed = replace(inversion, branch=BranchFile("/somewhere/d.safetensors", "ab"))
    changed.save(tmp_path / "x.geoinv")
    assert Inversion.load(tmp_path / "x.geoinv").branch == changed.branch
    assert np.array_equal(Inversion.load(tmp_path / "x.geoinv").photo, inversion.photo)


def test_a_registered_encoder_is_found_by_the_model(
    geoinv: Callable[..., Done], woman: Path, tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after `geoinv train all --self`, whose weights lie in the run's folder."""
    monkeypatch.setenv("GEOINV_CACHE", str(tmp_path / "cache"))
    encoder, details = elsewhere(tiny_weights)
    shutil.copy(tiny_weights / "mini-generator.safetensors", "mine.safetensors")
    register_own("mine.safetensors", encoder, "encoder")
    register_own("mine.safetensors", details, "details")
    invert = ("invert", woman, "--model", "mine.safetensors", "--no-turntable", "--json")
    done = geoinv(*invert)
    assert done.code == 0 and done.json["method"] == "hybrid", done.err
    made = Inversion.load(done.json["inversion"])
    assert made.branch is not None and made.branch.sha256 == sha256_of(details)
    shown = geoinv("render", done.json["inversion"], "--model", "mine.safetensors", "--yaw", "0", "--json")
    assert shown.code == 0, shown.err
    named = geoinv("invert", woman, "--encoder", "mine-self", "--no-turntable", "--json", "--out", "named")
    assert torch.equal(Inversion.load(named.json["inversion"]).w_plus, made.w_plus)
    geoinv(*invert, "--encoder", "yours", "--out", "x").assert_fails(2, "no encoder is registered as 'yours'")
    listed = geoinv("weights", "info", "mine.safetensors", "--json").json
    assert listed["registered"] == ["mine-self-encoder", "mine-self-details"] and listed["encoder"]
    checks = geoinv("doctor", "--model", "mine.safetensors", "--json").json["checks"]
    assert [check["state"] for check in checks if check["name"] in ("e", "d")] == ["ok", "ok"]
    encoder.write_bytes(encoder.read_bytes()[:-4] + b"\0\0\0\0")
    geoinv(*invert, "--out", "y").assert_fails(3, "registered as mine-self-encoder, is another file by now")
