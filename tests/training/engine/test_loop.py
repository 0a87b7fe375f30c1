"""The loop of training: what a step does, budget, best weights, resuming, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from geoinv.errors import CheckpointError, UsageError
from geoinv.training.engine.loop import TrainingLoop, train, weighted_sum
from geoinv.training.engine.run import Minutes, Steps
from geoinv.training.engine.run_folder import RunFolder
from tests.training.engine.line_stage import LineStage, line_run


def curve(out: Path) -> list[tuple[float, float]]:
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line["fit"]) for line in lines if "fit" in line]


def killed(out: Path, at: int, steps: int = 20) -> None:
    """Train until a step that does not come."""
    with pytest.raises(KeyboardInterrupt):
        train(LineStage(line_run(out, steps), killed_at=at))


def test_trains_to_the_budget_and_keeps_the_best(tmp_path: Path) -> None:
    stage = LineStage(line_run(tmp_path, Steps(200, look_every=50, checkpoint_every=100, log_every=5)))
    path = train(stage)
    assert path.read_text() == "weights"
    assert stage.model.weight.item() == pytest.approx(3.0, abs=0.05)
    gains = [saved["heldout_psnr_db"] for saved in stage.saved]
    assert gains == sorted(gains) and len(gains) >= 2


def test_minutes_end_it_as_well(tmp_path: Path) -> None:
    loop = TrainingLoop(LineStage(line_run(tmp_path, Minutes(0.003, look_every=0.001))))
    assert loop.train().exists()
    assert loop.used >= 0.003 and loop.seconds == pytest.approx(60.0 * loop.used)
    assert loop.step > 1


def test_no_budget_is_one_step(tmp_path: Path) -> None:
    loop = TrainingLoop(LineStage(line_run(tmp_path, Minutes(0.0))))
    assert loop.train().exists()
    assert loop.step == 1


def test_the_first_step_by_hand(tmp_path: Path) -> None:
    """w - lr * 2 (w - 3), the gradient clipped to 1, half of the way averaged at first."""
    stage = LineStage(line_run(tmp_path, 20))
    loop, before = TrainingLoop(stage), stage.model.weight.item()
    loop._one_step(stage.batch(0))  # its learning rate is 0
    assert stage.model.weight.item() == before
    loop._one_step(stage.batch(1))
    rate = loop.stage.optimizer.param_groups[0]["lr"]
    assert 0.09 < rate < 0.1
    assert stage.model.weight.item() == pytest.approx(before + rate, abs=1e-6)


def test_a_loss_without_a_weight_is_named() -> None:
    losses = {"color": torch.tensor(2.0), "depht": torch.tensor(1.0)}
    with pytest.raises(ValueError, match="no weight for the loss depht: the table of weights has color, depth"):
        weighted_sum(losses, {"color": 1.0, "depth": 0.5})
    assert weighted_sum({"color": losses["color"]}, {"color": 1.5, "depth": 0.5}).item() == 3.0


def test_a_stage_whose_loss_has_no_weight_ends_in_its_first_step(tmp_path: Path) -> None:
    class Unweighted(LineStage):
        def losses(self, batch: Tensor, step: int, place: float) -> dict[str, Tensor]:
            return {**super().losses(batch, step, place), "extra": torch.tensor(0.0)}

    with pytest.raises(ValueError, match="no weight for the loss extra"):
        train(Unweighted(line_run(tmp_path, 3)))
    assert not (tmp_path / "best.safetensors").exists()


def test_resumes_where_it_saved(tmp_path: Path) -> None:
    first = TrainingLoop(LineStage(line_run(tmp_path, 10)))
    first.train()
    second = TrainingLoop(LineStage(line_run(tmp_path, 20)))
    assert (second.step, second.best, second.progress) == (10, first.best, 0.5)
    assert torch.equal(second.stage.model.weight, first.stage.model.weight)  # type: ignore[arg-type]
    second.train()
    assert second.step == 20
    done = TrainingLoop(LineStage(line_run(tmp_path, 20)))
    assert done.train().exists()
    assert done.step == 20


def test_a_larger_budget_after_the_end_keeps_the_learning_rate_down(tmp_path: Path) -> None:
    """Learning rate and the losses that join late: nothing of the schedule goes back."""
    first = TrainingLoop(LineStage(line_run(tmp_path, 10)))
    first.train()
    said: list[str] = []
    stage = LineStage(line_run(tmp_path, 20))
    second = TrainingLoop(stage, lambda progress, text: said.append(text))
    assert second.learning_rate == pytest.approx(0.02 * 0.1)
    assert "this run had ended" in said[0]
    second.train()
    assert stage.places == [1.0] * 10


def test_a_larger_budget_in_the_middle_never_raises_the_learning_rate(tmp_path: Path) -> None:
    killed(tmp_path, 12)
    stage = LineStage(line_run(tmp_path, 60))
    loop = TrainingLoop(stage)
    assert loop.place == pytest.approx(12 / 20)
    assert loop.learning_rate < 0.05
    loop.train()
    assert stage.places == sorted(stage.places) and stage.places[-1] < 1.0
    assert stage.places[1] - stage.places[0] == pytest.approx(0.4 / 48)


def test_a_run_with_a_larger_budget_can_be_killed_as_well(tmp_path: Path) -> None:
    for folder, kills in (("alone", ()), ("killed", (25, 40))):
        killed(tmp_path / folder, 12)
        for step in kills:
            killed(tmp_path / folder, step, steps=60)
        train(LineStage(line_run(tmp_path / folder, 60)))
    assert curve(tmp_path / "killed") == curve(tmp_path / "alone")


def test_log_of_a_killed_run_forgets_what_will_be_done_again(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for step in (1, 2, 3):
        folder.log(step=step, loss=0.1 * step)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')  # killed while writing
    folder.forget_after(2)
    folder.log(step=3, loss=0.5)
    assert [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [1, 2, 3]


def test_a_killed_run_repeats_the_curve_of_one_left_alone(tmp_path: Path) -> None:
    train(LineStage(line_run(tmp_path / "alone", 20)))
    for step in (2, 7, 14):  # before the first checkpoint; with a line half full; after a line that will be repeated
        killed(tmp_path / "killed", step)
    train(LineStage(line_run(tmp_path / "killed", 20)))
    assert curve(tmp_path / "killed") == curve(tmp_path / "alone")
    assert [step for step, _ in curve(tmp_path / "killed")] == [5, 10, 15, 20]


def test_log_of_a_run_killed_before_its_first_checkpoint_is_forgotten(tmp_path: Path) -> None:
    budget = Steps(20, look_every=100, checkpoint_every=100, log_every=2)
    with pytest.raises(KeyboardInterrupt):
        train(LineStage(line_run(tmp_path, budget), killed_at=9))
    (tmp_path / "samples_000004.png").touch()
    assert len(curve(tmp_path)) == 4
    train(LineStage(line_run(tmp_path, budget)))
    assert [step for step, _ in curve(tmp_path)] == list(range(2, 21, 2))
    assert not (tmp_path / "samples_000004.png").exists()  # of a step that was made again


def test_two_processes_in_one_folder_are_refused(tmp_path: Path) -> None:
    with RunFolder(tmp_path).going_on_from(0), pytest.raises(UsageError, match="another run is at work"):
        train(LineStage(line_run(tmp_path, 2)))


def test_a_budget_made_smaller_than_what_was_used_still_ships(tmp_path: Path) -> None:
    killed(tmp_path, 9)
    stage = LineStage(line_run(tmp_path, 3))
    assert train(stage).exists()
    assert [saved["steps"] for saved in stage.saved] == [9]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": 0.2}, "began with learning_rate 0.1, not 0.2"),
        ({"seed": 1}, "began with seed 0, not 1"),
        ({"settings": {"rays": 9, "base": "first"}}, "began with settings.rays 8, not 9"),
        ({"settings": {"rays": 8, "base": "second"}}, "began with settings.base first, not second"),
        ({"settings": {"base": "first"}}, "began with settings.rays 8, not none"),
    ],
)
def test_other_settings_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    settings = {"rays": 8, "base": "first"}
    train(LineStage(line_run(tmp_path, 3), settings=settings))
    run = line_run(tmp_path, 5, **{key: value for key, value in change.items() if key != "settings"})
    with pytest.raises(UsageError, match=message):
        train(LineStage(run, settings=change.get("settings", settings)))
    assert json.loads((tmp_path / "run.json").read_text())["budget"]["total"] == 3  # nothing was touched


def test_a_run_killed_before_its_first_checkpoint_may_begin_with_others(tmp_path: Path) -> None:
    killed(tmp_path, 1)
    train(LineStage(line_run(tmp_path, 3), settings={"rays": 9}))
    assert json.loads((tmp_path / "run.json").read_text())["settings"] == {"rays": 9}


def test_a_run_without_a_record_is_refused(tmp_path: Path) -> None:
    train(LineStage(line_run(tmp_path, 3)))
    (tmp_path / "run.json").unlink()
    with pytest.raises(UsageError, match="nothing tells with which settings") as caught:
        train(LineStage(line_run(tmp_path, 5)))
    assert "--from" in (caught.value.hint or "")


def test_a_run_that_starts_over_may_build_on_something_else(tmp_path: Path) -> None:
    train(LineStage(line_run(tmp_path, 3), settings={"base": "first"}))
    RunFolder(tmp_path).start_over()
    assert TrainingLoop(LineStage(line_run(tmp_path, 3), settings={"base": "second"})).step == 0
    assert RunFolder(tmp_path).earlier.read_text() == "weights"


@pytest.mark.parametrize("damage", [slice(0, 600), slice(300, None), slice(0, 0)])
def test_a_damaged_checkpoint_is_one_line(tmp_path: Path, damage: slice) -> None:
    train(LineStage(line_run(tmp_path, 6)))
    (tmp_path / "state.pt").write_bytes((tmp_path / "state.pt").read_bytes()[damage])
    with pytest.raises(CheckpointError, match=r"state.pt cannot be read") as caught:
        train(LineStage(line_run(tmp_path, 8)))
    assert "best.safetensors" in (caught.value.hint or "")


def test_a_number_that_flipped_in_a_checkpoint_is_seen(tmp_path: Path) -> None:
    train(LineStage(line_run(tmp_path, 6)))
    contents = bytearray((tmp_path / "state.pt").read_bytes())
    weight = torch.load(tmp_path / "state.pt", weights_only=True)["model"]["weight"].numpy().tobytes()
    contents[contents.index(weight)] ^= 1
    (tmp_path / "state.pt").write_bytes(contents)
    with pytest.raises(CheckpointError):
        train(LineStage(line_run(tmp_path, 8)))


def test_a_damaged_log_loses_its_damaged_lines(tmp_path: Path) -> None:
    train(LineStage(line_run(tmp_path, 6)))
    log = tmp_path / "log.jsonl"
    log.write_bytes(b"\xff\xfe\n[]\n" + log.read_bytes().replace(b"step", b"st\xffp", 1))
    train(LineStage(line_run(tmp_path, 10)))
    assert [step for step, _ in curve(tmp_path)] == [10]
