"""Finding the assets: what is missing is named, with the way to get it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from geoinv.errors import MissingDependencyError
from geoinv.synth.assets import find_assets, find_base_data
from geoinv.synth.dataset import make_dataset


@pytest.mark.parametrize("given", [False, True])
def test_missing_assets_are_explained(given: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GEOINV_ASSETS", raising=False)
    with pytest.raises(MissingDependencyError) as caught:
        find_assets(tmp_path if given else None)
    assert "makehuman_system_assets_cc0.zip" in (caught.value.hint or "") and caught.value.exit_code == 6


@pytest.mark.parametrize("workers", [1, 2])
def test_dataset_without_assets(workers: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GEOINV_ASSETS", raising=False)
    with pytest.raises(MissingDependencyError, match="no folder was given"):
        make_dataset(tmp_path, 4, shard_size=1, workers=workers)


def test_missing_base_mesh_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError) as caught:
        find_base_data()
    assert "geoinv[synth]" in (caught.value.hint or "")
