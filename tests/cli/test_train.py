"""``geoinv train``: directions from a generator of heads, and what the stages refuse."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from geoinv.checkpoints.store import save_model, sha256_of
from geoinv.editing.directions import read_directions
from geoinv.models.generator import TriPlaneGenerator
from geoinv.training.stages.mini_model import mini_for_heads
from geoinv.training.stages.stale import details_of_another_encoder
from tests.cli.conftest import Done
from tests.tiny_models import tiny_config, tiny_details, write_tiny_weights
from tests.training.conftest import write_shard


def test_directions_of_a_generator_of_heads(
    geoinv: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geoinv.editing.effect.VISIBLE", 0.0)  # this one is not trained: little shows
    torch.manual_seed(0)
    config = dataclasses.replace(tiny_config(), mapping=dataclasses.replace(mini_for_heads().mapping, w_dim=16))
    path = tmp_path / "heads-generator.safetensors"
    save_model(path, TriPlaneGenerator(config), config)
    done = geoinv("train", "directions", "--model", str(path), "--json")
    assert done.code == 0, done.err
    assert {"smile", "age", "gender", "glasses", "beard"} <= set(done.json["attributes"])
    assert done.json["left_out"] == []
    directions = read_directions(tmp_path / "heads-directions.safetensors")
    assert directions.generator_sha256 == sha256_of(path)
    assert directions.vectors["smile"].shape == (config.num_ws, 16)
    assert directions.vectors["smile"].norm() > 0


def test_directions_want_a_generator_of_heads(geoinv: Callable[..., Done]) -> None:
    geoinv("train", "directions").assert_fails(2, "was not trained on these synthetic heads")


def test_a_direction_of_any_generator(geoinv: Callable[..., Done], tmp_path: Path, tiny_weights: Path) -> None:
    command = ("train", "directions", "--attr", "smile", "--samples", "40", "--out", "d.safetensors", "--json")
    done = geoinv(*command)
    assert done.code == 0, done.err
    assert {"accuracy", "identity_drift", "score_gain", "heads"} <= set(done.json)
    geoinv(*command).assert_fails(2, "has a direction smile", "--overwrite")
    assert geoinv(*command, "--overwrite").code == 0
    done = geoinv("train", "directions", "--attr", "Age", "--samples", "40", "--out", "d.safetensors")
    assert done.code == 0 and "strength 1 moves identity by" in done.out
    directions = read_directions(tmp_path / "d.safetensors")
    assert directions.names == ("age", "smile")
    assert directions.generator_sha256 == sha256_of(tiny_weights / "mini-generator.safetensors")


def test_direction_mistakes(geoinv: Callable[..., Done]) -> None:
    geoinv("train", "directions", "--attr", "hat", "--out", "d.safetensors").assert_fails(2, "hat", "--labels")
    geoinv("train", "directions", "--labels", "x.csv", "--out", "d.safetensors").assert_fails(2, "needs a name")
    missing = geoinv("train", "directions", "--attr", "hat", "--labels", "x.csv", "--out", "d.safetensors")
    missing.assert_fails(2, "no such file or folder: x.csv")


def test_no_data(geoinv: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for stage in ("generator", "encoder"):
        done = geoinv("train", stage, "--data", "empty", "--validation", "empty", "--out", "run")
        done.assert_fails(2, "no rendered heads in empty", "geoinv synth dataset")
    geoinv("train", "superresolution", "--data", "empty").assert_fails(2, "no rendered heads in empty")


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    """A few discs in place of rendered heads, in the folder of the commands."""
    folder = tmp_path / "heads"
    folder.mkdir()
    write_shard(folder, "00000", 0, heads=4)
    return folder


def test_a_run_is_recorded_and_not_resumed_with_others(geoinv: Callable[..., Done], heads: Path) -> None:
    """The whole command with one step."""
    data = ("--data", heads, "--validation", heads, "--device", "cpu", "--out", "run", "--minutes", 0)
    geoinv("train", "encoder", *data).assert_fails(2, "there are 4 heads in", "a step takes 23", "geoinv synth")
    command = ("train", "encoder", *data, "--photos-per-step", 3, "--json")
    done = geoinv(*command)
    assert done.code == 0, done.err
    assert done.json["device"] == "cpu" and done.json["run"] == "run"
    record = json.loads(Path("run/run.json").read_text())
    assert record["stage"] == "encoder" and record["budget"]["total"] == 0.0
    assert record["settings"]["counts"]["photos"] == 2
    geoinv(*command, "--seed", 3).assert_fails(2, "the run in run began with seed 0, not 3", "--out")


@pytest.mark.parametrize("stage", ["all", "generator", "encoder", "superresolution", "local", "toon", "directions"])
def test_every_stage_takes_a_device(geoinv: Callable[..., Done], stage: str) -> None:
    needs = {"generator", "encoder", "local"}
    data = ("--data", "d") if stage in needs | {"superresolution"} else ()
    validation = ("--validation", "d") if stage in needs else ()
    geoinv("train", stage, *data, *validation, "--device", "tpu").assert_fails(2, "unknown device 'tpu'")


def test_a_new_encoder_says_which_details_are_stale(tmp_path: Path) -> None:
    weights = write_tiny_weights(tmp_path / "weights")
    generator, encoder = weights / "mini-generator.safetensors", weights / "mini-encoder.safetensors"
    branch = tiny_details()
    details = weights / "mini-details.safetensors"
    save_model(details, branch, branch.config, {"encoder_sha256": sha256_of(encoder)})
    assert details_of_another_encoder(str(generator), encoder) is None
    assert details_of_another_encoder(str(generator), generator) == details  # any other file
    details.unlink()
    assert details_of_another_encoder(str(generator), generator) is None
