"""The loop of training: schedule, what a step does, budget, best weights, resuming."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from geoinv.training.loop import Schedule, TrainingLoop, learning_rate_at
from geoinv.training.moving_average import MovingAverage
from geoinv.training.run_folder import RunFolder


def test_learning_rate_warms_up_and_falls() -> None:
    assert learning_rate_at(0.0, 1.0) == 0.0
    assert learning_rate_at(0.01, 1.0) > 0.99
    assert learning_rate_at(0.5, 1.0) == pytest.approx(0.51, abs=0.01)
    assert learning_rate_at(1.0, 1.0) == pytest.approx(0.02)


def make_loop(out: Path, minutes: float, checkpoint_every_minutes: float = 1.0) -> TrainingLoop:
    torch.manual_seed(0)
    model = nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = Schedule(minutes, 0.1, minutes / 3, 1000, checkpoint_every_minutes)
    return TrainingLoop(RunFolder(out), schedule, model, MovingAverage(model, 0.5), optimizer, None)


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
