"""Comparisons: both backends in turn, medians, and the work that is counted."""

from __future__ import annotations

import pytest
import torch

from geoinv.bench import timing
from geoinv.bench.timing import Comparison, Job, compare, matrix_product_gflops
from geoinv.ops._build import backend_choice


def test_sides_alternate_after_one_unmeasured_run_of_each() -> None:
    seen: list[str] = []
    compare(Job("job", "a job", lambda: seen.append(backend_choice()), rounds=2))
    assert seen == ["reference", "native"] * 3


def test_ratio_is_of_medians_and_work_is_the_reference_s(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([9.0, 1.0, 6.0, 2.0, 5.0, 30.0])
    monkeypatch.setattr(timing, "seconds_of", lambda run: next(times))
    left, right = torch.ones(100, 200), torch.ones(200, 50)
    done = compare(Job("job", "a job", lambda: left @ right, rounds=3))
    assert (done.reference_s, done.native_s, done.ratio) == (6.0, 2.0, 3.0)
    assert done.gflop == pytest.approx(2 * 100 * 200 * 50 / 1e9)
    assert done.gflops == pytest.approx(done.gflop / 2.0)


def test_a_machine_has_a_rate() -> None:
    assert matrix_product_gflops(side=64, rounds=1) > 0.0


def test_share_counts_saved_work_as_speed() -> None:
    assert Comparison("job", "a job", reference_s=4.0, native_s=1.0, gflop=8.0).gflops == 8.0
