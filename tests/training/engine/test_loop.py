"""The loop of training: schedule, what a step does, budget, best weights, resuming."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from geoinv.errors import UsageError
from geoinv.training.engine.loop import Schedule, StepBudget, TrainingLoop, learning_rate_at
from geoinv.training.engine.moving_average import MovingAverage
from geoinv.training.engine.run_folder import RunFolder


def test_learning_rate_warms_up_and_falls() -> None:
    assert learning_rate_at(0.0, 1.0) == 0.0
    assert learning_rate_at(0.01, 1.0) > 0.99
    assert learning_rate_at(0.5, 1.0) == pytest.approx(0.51, abs=0.01)
    assert learning_rate_at(1.0, 1.0) == pytest.approx(0.02)


def make_loop(
    out: Path,
    minutes: float,
    checkpoint_every_minutes: float = 1.0,
    counted: StepBudget | None = None,
    base: str = "",
) -> TrainingLoop:
    torch.manual_seed(0)
    model = nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = Schedule(minutes, 0.1, minutes / 3, 1000, checkpoint_every_minutes, counted=counted)
    return TrainingLoop(RunFolder(out), schedule, model, MovingAverage(model, 0.5), optimizer, None, base=base)


def run(loop: TrainingLoop, saved: list[dict[str, float]]) -> Path:
    def losses(progress: float) -> dict[str, Tensor]:
        assert 0.0 <= progress < 1.0
        return {"fit": (loop.model(torch.ones(1, 1)) - 3.0).square().sum()}

    def validate(sheet: Path) -> dict[str, float]:
        error = abs(loop.average.module.weight.item() - 3.0)  # type: ignore[union-attr,operator]
        return {"heldout_psnr_db": -error}

    def save_best(path: Path, figures: dict[str, float]) -> None:
        path.write_text("weights")
        saved.append(figures)

    return loop.train(losses, {"fit": 1.0}, validate, save_best)


def test_trains_to_the_budget_and_keeps_the_best(tmp_path: Path) -> None:
    saved: list[dict[str, float]] = []
    loop = make_loop(tmp_path, 0.01)
    path = run(loop, saved)
    assert path.read_text() == "weights"
    assert loop.seconds >= 0.6
    assert loop.model.weight.item() == pytest.approx(3.0, abs=0.01)  # type: ignore[union-attr,operator]
    gains = [figures["heldout_psnr_db"] for figures in saved]
    assert gains == sorted(gains)


def test_no_budget_is_one_step(tmp_path: Path) -> None:
    loop = make_loop(tmp_path, 0.0)
    assert run(loop, []).exists()
    assert loop.step == 1


def test_resumes_where_it_saved(tmp_path: Path) -> None:
    first = make_loop(tmp_path, 0.005)
    run(first, [])
    second = make_loop(tmp_path, 0.01)
    assert (second.step, second.best) == (first.step, first.best)
    assert torch.equal(second.model.weight, first.model.weight)  # type: ignore[arg-type]
    assert second.progress == pytest.approx(0.5, abs=0.05)
    run(second, [])
    assert second.step > first.step
    done = make_loop(tmp_path, 0.01)
    assert run(done, []).exists()
    assert done.step == second.step


def test_log_of_a_killed_run_forgets_what_will_be_done_again(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for step in (1, 2, 3):
        folder.log(step=step, loss=0.1 * step)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')  # killed while writing
    folder.forget_after(2)
    folder.log(step=3, loss=0.5)
    assert [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [1, 2, 3]


def test_a_killed_run_keeps_its_last_checkpoint(tmp_path: Path) -> None:
    loop = make_loop(tmp_path, 0.02, checkpoint_every_minutes=0.001)

    def killed(progress: float) -> dict[str, Tensor]:
        if loop.seconds > 0.3:
            raise KeyboardInterrupt
        return {"fit": (loop.model(torch.ones(1, 1)) - 3.0).square().sum()}

    with pytest.raises(KeyboardInterrupt):
        loop.train(killed, {"fit": 1.0}, lambda sheet: {"heldout_psnr_db": 0.0}, lambda path, figures: None)
    again = make_loop(tmp_path, 0.02)
    assert 0.2 < again.seconds <= loop.seconds
    assert 0 < again.step <= loop.step


def killed_at(loop: TrainingLoop, step: int) -> None:
    """Train until a step that does not come."""

    def losses(progress: float) -> dict[str, Tensor]:
        if loop.step == step:
            raise KeyboardInterrupt
        return {"fit": (loop.model(torch.ones(1, 1)) - 3.0).square().sum()}

    with pytest.raises(KeyboardInterrupt):
        loop.train(losses, {"fit": 1.0}, lambda sheet: {"heldout_psnr_db": 0.0}, lambda path, _: path.touch())


def curve(out: Path) -> list[tuple[float, float]]:
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line["fit"]) for line in lines if "fit" in line]


def test_a_killed_run_repeats_the_curve_of_one_left_alone(tmp_path: Path) -> None:
    counted = StepBudget(20, validate_every=8, log_every=5, checkpoint_every=3)
    run(make_loop(tmp_path / "alone", 1.0, counted=counted), [])
    for step in (2, 7, 14):  # before the first checkpoint; with a line half full; after a line that will be repeated
        killed_at(make_loop(tmp_path / "killed", 1.0, counted=counted), step)
    run(make_loop(tmp_path / "killed", 1.0, counted=counted), [])
    assert curve(tmp_path / "killed") == curve(tmp_path / "alone")
    assert [step for step, _ in curve(tmp_path / "killed")] == [5, 10, 15, 20]


def test_log_of_a_run_killed_before_its_first_checkpoint_is_forgotten(tmp_path: Path) -> None:
    counted = StepBudget(20, validate_every=100, log_every=2, checkpoint_every=100)
    killed_at(make_loop(tmp_path, 1.0, counted=counted), 9)
    (tmp_path / "samples_000004.png").touch()
    assert len(curve(tmp_path)) == 4
    run(make_loop(tmp_path, 1.0, counted=counted), [])
    assert [step for step, _ in curve(tmp_path)] == list(range(2, 21, 2))
    assert not (tmp_path / "samples_000004.png").exists()  # of a step that was made again


def test_a_run_that_builds_on_something_else_is_refused(tmp_path: Path) -> None:
    run(make_loop(tmp_path, 0.001, base="first"), [])
    with pytest.raises(UsageError, match="another generator"):
        make_loop(tmp_path, 0.001, base="second")
    RunFolder(tmp_path).start_over()
    assert make_loop(tmp_path, 0.001, base="second").step == 0
    assert RunFolder(tmp_path).earlier.read_text() == "weights"


def test_two_processes_in_one_folder_are_refused(tmp_path: Path) -> None:
    with RunFolder(tmp_path).going_on_from(0), pytest.raises(UsageError, match="another run is at work"):
        run(make_loop(tmp_path, 0.001), [])


def test_a_budget_made_smaller_than_what_was_used_still_ships(tmp_path: Path) -> None:
    counted = StepBudget(20, validate_every=100, log_every=2, checkpoint_every=5)
    killed_at(make_loop(tmp_path, 1.0, counted=counted), 9)
    saved: list[dict[str, float]] = []
    smaller = StepBudget(3, validate_every=100, log_every=2, checkpoint_every=5)
    assert run(make_loop(tmp_path, 1.0, counted=smaller), saved).exists()
    assert [figures["steps"] for figures in saved] == [5]


def test_checkpoints_of_earlier_versions_can_be_gone_on_from(tmp_path: Path) -> None:
    run(make_loop(tmp_path, 0.001), [])
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    for name in ("since_log", "base", "beside"):
        del state[name]
    torch.save(state, tmp_path / "state.pt")
    assert make_loop(tmp_path, 0.001, base="anything").step == state["step"]
