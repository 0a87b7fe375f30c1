"""geoinv doctor: names what is missing and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Done


def test_all_there(geoinv: Callable[..., Done]) -> None:
    done = geoinv("doctor", "--json")
    assert done.code == 0
    assert done.json["usable"] is True
    states = {check["name"]: check["state"] for check in done.json["checks"]}
    assert all(states[name] == "ok" for name in ("python", "torch", "generator", "encoder", "directions", "ffmpeg"))


def test_missing_things_are_named_with_cost_and_fix(
    geoinv: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("GEOINV_WEIGHTS", str(tmp_path / "empty"))
    monkeypatch.delenv("GEOINV_ASSETS", raising=False)
    done = geoinv("doctor")
    assert done.code == 1
    for part in ("missing  generator", "missing  encoder", "missing  MakeHuman assets", "costs: ", "mend:  "):
        assert part in done.out
    checks = geoinv("doctor", "--json").json["checks"]
    assert all(check["cost"] and check["fix"] for check in checks if check["state"] != "ok")


def test_a_damaged_file_is_found(
    geoinv: Callable[..., Done], tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    folder = tmp_path / "weights"
    shutil.copytree(tiny_weights, folder)
    (folder / "index.toml").write_text(f'[mini]\nfile = "mini-encoder.safetensors"\nsha256 = "{"0" * 64}"\n')
    monkeypatch.setenv("GEOINV_WEIGHTS", str(folder))
    done = geoinv("doctor")
    assert done.code == 1
    assert "broken   encoder" in done.out


def test_says_which_kernels_are_in_use_and_why(
    geoinv: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from geoinv.ops import _build

    def kernels() -> dict[str, str]:
        checks = {check["name"]: check for check in geoinv("doctor", "--json").json["checks"]}
        return checks["kernels"]  # type: ignore[no-any-return]

    monkeypatch.setenv("GEOINV_CACHE", str(tmp_path))
    assert "compiled, the rest at first use" in kernels()["detail"]
    with _build.use_backend("reference"):
        assert kernels()["detail"] == "reference, because GEOINV_BACKEND says so"
    library = _build._library(_build.package_operations()[0])
    library.parent.mkdir(parents=True)
    library.with_suffix(".failure").write_text("error: out of memory")
    assert kernels()["state"] == "broken"
    assert "out of memory" in kernels()["detail"]
    for operation in _build.package_operations():
        library = _build._library(operation)
        library.parent.mkdir(parents=True, exist_ok=True)
        library.touch()
    assert "all" in kernels()["detail"]
