"""``train all``: real stages on tiny networks in a row, what a resumed run repeats, and what it refuses."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from geoinv.checkpoints.store import load_anchored_generator, load_details, load_encoder, save_model, sha256_of
from geoinv.editing import load_directions
from geoinv.errors import UsageError
from geoinv.files import only_one_process
from geoinv.models.generator import TriPlaneGenerator
from geoinv.training.stages.all_stages import PARTS, AllStages, train_all
from tests.tiny_models import tiny_config
from tests.training.stages.small_chain import STAGES, small_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[str]]]:
    """The folder of a finished run, and what it said."""
    torch.set_num_threads(1)
    out, said = tmp_path_factory.mktemp("chain") / "run", list[str]()
    train_all(small_run(out), said.append)
    yield out, said


@pytest.fixture
def run(finished: tuple[Path, list[str]], tmp_path: Path) -> Path:
    """A copy of that folder."""
    shutil.copytree(finished[0], tmp_path / "run")
    return tmp_path / "run"


def test_stages_follow_one_another_and_ship(finished: tuple[Path, list[str]]) -> None:
    out, said = finished
    assert [line.split(":")[0] for line in said if ": done" in line] == [part.name for part in PARTS]
    assert any(line.startswith("generator: done; 2 steps in 0.") for line in said)
    weights = out / "weights"
    names = ["figures.json", "heldout-heads.safetensors"]
    names += [f"mini-{kind}.safetensors" for kind in ("details", "directions", "encoder", "generator")]
    assert sorted(path.name for path in weights.iterdir()) == names
    model = str(weights / "mini-generator.safetensors")
    _, info = load_anchored_generator(model)
    encoder = load_encoder(model)[0]
    assert encoder.config.shape_size > 0  # it tells shape and light, too
    assert load_details(model)[1].extra["encoder_sha256"] == sha256_of(weights / "mini-encoder.safetensors")
    assert load_directions(model, generator_sha256=info.sha256).generator_sha256 == info.sha256
    figures = json.loads((weights / "figures.json").read_text())
    assert figures["heads"] == 1 and figures["input_psnr_db"] is not None
    assert set(figures["sha256"]) == {f"mini-{kind}.safetensors" for kind in ("generator", "encoder", "details")}


def test_each_stage_learned(finished: tuple[Path, list[str]]) -> None:
    for stage in STAGES:
        lines = [json.loads(line) for line in (finished[0] / stage / "log.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines if "seconds_per_step" in line] == [1, 2], stage
        record = json.loads((finished[0] / stage / "run.json").read_text())
        assert record["stage"] == stage and record["seed"] == 0


def test_fractions_leave_room_for_heads_and_metrics() -> None:
    assert 0.7 < sum(part.fraction for part in PARTS) < 0.8


def test_what_is_finished_is_not_made_again(run: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.glob("*/best.safetensors")}
    said: list[str] = []
    train_all(small_run(run), said.append)
    assert {path: path.stat().st_mtime_ns for path in run.glob("*/best.safetensors")} == before
    assert not [line for line in said if "measuring" in line or "step" in line.split("done")[0]]


def test_a_run_killed_in_every_stage_ends_like_one_left_alone(finished: tuple[Path, list[str]], tmp_path: Path) -> None:
    """Killed when a step is logged, before its checkpoint; the slow tests kill the command at any moment."""
    out, reference = tmp_path / "run", finished[0]
    for moment in ("generator:  50.0 %  step 1", "generator: 100", "encoder: 100", "local: 100"):

        def kill(line: str, moment: str = moment) -> None:
            if line.startswith(moment):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train_all(small_run(out), kill)
    train_all(small_run(out))
    for stage in STAGES:
        assert curve(out / stage) == curve(reference / stage), stage
    for path in (reference / "weights").glob("*.safetensors"):
        first, second = load_file(path), load_file(out / "weights" / path.name)
        assert all(torch.equal(value, second[name]) for name, value in first.items()), path.name


def curve(folder: Path) -> list[dict[str, float]]:
    """The lines of a stage's log, without times."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("minutes", "seconds_per_step")} for line in lines]


def test_a_stage_starts_over_when_what_it_builds_on_has_learned_more(run: Path) -> None:
    """And its learning rate begins anew, from its own best weights; the generator's stays where it had fallen to."""
    before = {name: load_file(run / name / "best.safetensors") for name in ("encoder", "generator")}
    state = run / "generator" / "state.pt"
    # one more tiny step need not be better, and on some processors it is not
    torch.save(torch.load(state, weights_only=True) | {"best": -math.inf}, state)
    said: list[str] = []
    train_all(small_run(run, steps=3), said.append)
    assert any("generator:" in line and "this run had ended" in line for line in said)
    for stage in ("encoder", "local"):
        assert f"{stage}: what it builds on has changed: starting over" in said
        assert (run / stage / "earlier.safetensors").exists()
    assert any(line.startswith("encoder: ") and "is of another encoder" in line for line in said)
    assert torch.load(run / "encoder" / "state.pt", weights_only=True)["step"] == 3
    record = json.loads((run / "encoder" / "run.json").read_text())
    assert record["start"] == sha256_of(run / "encoder" / "earlier.safetensors")
    earlier = load_file(run / "encoder" / "earlier.safetensors")
    assert all(torch.equal(earlier[name], value) for name, value in before["encoder"].items())


def test_goes_on_from_earlier_weights_and_then_needs_them(run: Path, tmp_path: Path) -> None:
    out, weights = tmp_path / "second", run / "weights"
    train_all(small_run(out, start=weights, steps=1))
    for stage, kind in (("generator", "generator"), ("encoder", "encoder"), ("local", "details")):
        record = json.loads((out / stage / "run.json").read_text())
        assert record["start"] == sha256_of(weights / f"mini-{kind}.safetensors"), stage
    with pytest.raises(UsageError, match="began with start.generator .*, not none") as caught:
        train_all(small_run(out, steps=2))
    assert f"--from {weights}" in (caught.value.hint or "")
    with pytest.raises(UsageError, match="weights of this very run"):
        train_all(small_run(out, start=out / "weights", steps=2))
    with pytest.raises(UsageError, match="has no mini-generator"):
        train_all(small_run(tmp_path / "third", start=tmp_path))


def test_tri_planes_are_no_start(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    save_model(weights / "mini-generator.safetensors", TriPlaneGenerator(tiny_config()), tiny_config())
    with pytest.raises(UsageError, match="mini-generator.safetensors stand on no mesh") as caught:
        train_all(AllStages(tmp_path / "run", hours=1.0, start=weights))
    assert "geoinv train generator --from" in (caught.value.hint or "")
    assert not (tmp_path / "run").exists()


def test_another_seed_is_refused(run: Path) -> None:
    with pytest.raises(UsageError, match="began with seed 0, not 1"):
        train_all(small_run(run, seed=1))


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    config = small_run(tmp_path / "run")
    with only_one_process(config.out), pytest.raises(UsageError, match="another run is at work"):
        train_all(config)


def test_too_short_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too short"):
        train_all(AllStages(tmp_path, hours=0.001))
    assert not list(tmp_path.iterdir())
