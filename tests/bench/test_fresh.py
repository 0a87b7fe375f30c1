"""Memory of a view, measured in this process on a tiny model."""

from __future__ import annotations

import pytest

from geoinv.bench import fresh, run
from tests.cli.test_bench import tiny_large_config


def test_peak_is_above_the_loaded_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "large_config", tiny_large_config)
    assert 0.0 <= fresh.peak_here() < 2000.0


def test_a_number_comes_back_from_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh.sys, "executable", "echo")
    with pytest.raises(ValueError, match="could not convert"):  # echo gives the command back
        fresh.peak_mib("native")
