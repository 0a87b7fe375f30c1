"""geoinv synth: what it says without assets, and a sheet where they are."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Done


@pytest.mark.parametrize("command", [["preview"], ["dataset", "--heads", "1"], ["shape-model"]])
def test_without_assets(geoinv: Callable[..., Done], command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEOINV_ASSETS", raising=False)
    geoinv("synth", *command, "--out", "out/heads.png").assert_fails(6, "--assets")
    geoinv("synth", *command, "--out", "out/heads.png", "--assets", "/nowhere").assert_fails(6, "/nowhere")
    assert not Path("out").exists()


@pytest.mark.skipif("GEOINV_ASSETS" not in os.environ, reason="needs the MakeHuman assets (GEOINV_ASSETS)")
def test_preview_is_repeatable(geoinv: Callable[..., Done]) -> None:
    for name in ("a.png", "b.png"):
        assert geoinv("synth", "preview", "--heads", "2", "--resolution", "64", "--out", name).code == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
