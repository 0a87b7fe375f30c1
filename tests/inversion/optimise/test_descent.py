"""Descent with a budget: ramps, the clock, and the best so far."""

from __future__ import annotations

import time

import pytest
import torch

from geoinv.inversion.optimise.descent import Pace, descend, rate_fraction


def test_rate_goes_up_and_down() -> None:
    fractions = [rate_fraction(step / 100) for step in range(101)]
    assert 0.0 < fractions[0] < 0.5 and fractions[30] == 1.0 and fractions[100] == pytest.approx(0.0)
    assert fractions[75] == pytest.approx(0.5)


def test_pace_is_the_first_budget_to_end() -> None:
    assert Pace(10, None).progress(5) == 0.5
    assert Pace(10, 1000.0).progress(5) == pytest.approx(0.5, abs=1e-3)
    assert Pace(None, 0.001, started=time.monotonic() - 1.0).progress(0) >= 1.0


def run(loss_of, steps: int, **changes: object):
    x = torch.tensor([4.0], requires_grad=True)
    return descend(
        [([x], changes.get("rate", 0.5))],
        lambda step: loss_of(x, step),
        lambda: x.detach().square().item(),
        lambda: x.item(),
        Pace(steps, None),
        changes.get("on_step"),
    )


def test_descends() -> None:
    end = run(lambda x, step: x.square().sum(), 60)
    assert (end.steps, end.first_loss, end.is_interrupted) == (60, 16.0, False)
    assert abs(end.best) < 0.5 and end.best_loss == pytest.approx(end.best**2)


def test_keeps_the_start_if_all_gets_worse() -> None:
    end = run(lambda x, step: -x.square().sum(), 20)
    assert end.best == 4.0 and end.best_loss == end.first_loss == 16.0


def test_keeps_the_best_when_interrupted() -> None:
    def stop(report) -> None:
        if report.step == 7:
            raise KeyboardInterrupt

    end = run(lambda x, step: x.square().sum(), 1000, on_step=stop)
    assert end.is_interrupted and end.steps == 7 and end.best_loss < 16.0


def test_clock_ends_it() -> None:
    x = torch.tensor([4.0], requires_grad=True)
    start = time.monotonic()
    end = descend([([x], 0.1)], lambda _: x.square().sum(), lambda: x.item(), lambda: x.item(), Pace(None, 0.2))
    assert 0.2 <= time.monotonic() - start < 5.0 and end.steps > 1
