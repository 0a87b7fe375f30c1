"""geoinv doctor: names what is missing and what it costs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from geoinv.checkpoints.index import Entry, load_index
from geoinv.checkpoints.store import load_details, save_model
from geoinv.doctor import examine, is_usable
from geoinv.folders import weights_dir
from tests.tiny_models import write_tiny_weights

from .conftest import Done


def test_all_there(geoinv: Callable[..., Done]) -> None:
    done = geoinv("doctor", "--json")
    assert done.code == 0
    assert done.json["usable"] is True
    states = {check["name"]: check["state"] for check in done.json["checks"]}
    assert all(
        states[name] == "ok"
        for name in ("python", "torch", "mini-generator", "mini-encoder", "mini-details", "mini-directions", "ffmpeg")
    )


def test_missing_things_are_named_with_cost_and_fix(
    geoinv: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("GEOINV_WEIGHTS", str(tmp_path / "empty"))
    monkeypatch.delenv("GEOINV_ASSETS", raising=False)
    done = geoinv("doctor")
    assert done.code == 1
    for part in (
        "missing  mini-generator",
        "missing  mini-encoder",
        "missing  weights index",
        "missing  MakeHuman assets",
        "costs: ",
        "mend:  ",
    ):
        assert part in done.out
    checks = geoinv("doctor", "--json").json["checks"]
    assert all(check["cost"] and check["fix"] for check in checks if check["state"] != "ok")


def test_packages_that_are_too_old_are_named(geoinv: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    needed = ["torch<3,>=2.4", "numpy>=1.24", "tomli>=2; python_version < '3.11'", 'anny>=0.3; extra == "synth"']
    versions = {"torch": "2.13.0+cpu", "numpy": "1.26.4", "tomli": "1.0", "anny": "0.1"}
    monkeypatch.setattr("importlib.metadata.requires", lambda name: needed)
    monkeypatch.setattr("importlib.metadata.version", versions.__getitem__)

    def check() -> dict[str, str]:
        checks = {check["name"]: check for check in geoinv("doctor", "--json").json["checks"]}
        return checks["versions"]  # type: ignore[no-any-return]

    assert check()["state"] == "ok"
    versions["torch"] = "2.3.1+cpu"
    found = check()
    assert found["state"] == "broken"
    assert found["detail"] == "torch 2.3.1+cpu, needed 2.4"
    assert found["fix"] == "pip install 'torch>=2.4'"


def shipped(root: Path, *, without: str | None = None, instead: bytes | None = None) -> tuple[Path, Entry | None]:
    """A folder with all that ships, but for one entry's file, or with that file's bytes replaced."""
    folder = root / "shipped"
    folder.mkdir()
    (folder / "index.toml").write_bytes((weights_dir() / "index.toml").read_bytes())
    changed = None
    for entry in load_index().values():
        target = folder / entry.file
        target.parent.mkdir(exist_ok=True)
        if entry.url is None and entry.name != without:
            target.symlink_to(entry.path.resolve())
        elif entry.name == without:
            changed = entry
            if instead is not None:
                target.write_bytes(instead)
    return folder, changed


SHIPPED = [entry.name for entry in load_index().values() if entry.url is None]


@pytest.mark.parametrize("name", SHIPPED)
def test_each_file_that_ships_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv("GEOINV_WEIGHTS")
    folder, entry = shipped(tmp_path, without=name)
    monkeypatch.setenv("GEOINV_WEIGHTS", str(folder))
    checks = {check.name: check for check in examine()}
    assert entry is not None
    assert entry.needed_for
    assert (checks[name].state, checks[name].detail) == ("missing", str(folder / entry.file))
    assert checks[name].cost == f"needed for {entry.needed_for}"
    assert checks[name].fix
    assert is_usable(list(checks.values())) != entry.required
    assert [check for check in SHIPPED if checks[check].state != "ok"] == [name]


def test_all_that_ships_is_verified_by_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEOINV_WEIGHTS")
    folder, _ = shipped(tmp_path)
    monkeypatch.setenv("GEOINV_WEIGHTS", str(folder))
    checks = {check.name: check for check in examine()}
    assert len(SHIPPED) >= 10
    assert all(checks[name].state == "ok" and checks[name].detail.endswith(", verified") for name in SHIPPED)


def test_every_shipped_file_is_in_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEOINV_WEIGHTS")
    folder = weights_dir()
    known = {entry.path for entry in load_index().values()}
    models = {path for path in folder.rglob("*") if path.suffix in (".safetensors", ".tflite")}
    assert models <= known
    assert {entry.path for entry in load_index().values() if entry.url is None} == models


@pytest.mark.parametrize("name", ["mini-details", "identity"])
def test_a_damaged_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv("GEOINV_WEIGHTS")
    folder, entry = shipped(tmp_path, without=name, instead=b"cut")
    monkeypatch.setenv("GEOINV_WEIGHTS", str(folder))
    check = next(check for check in examine() if check.name == name)
    assert check.state == "broken"
    assert "identity" not in name or "is not what shipped" in check.detail


def test_details_of_another_encoder_are_found(
    geoinv: Callable[..., Done], tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(tiny_weights, folder)
    other = write_tiny_weights(tmp_path / "other", seed=1)
    shutil.copy(other / "mini-details.safetensors", folder / "mini-details.safetensors")
    shutil.copy(other / "mini-directions.safetensors", folder / "mini-directions.safetensors")
    monkeypatch.setenv("GEOINV_WEIGHTS", str(folder))
    done = geoinv("doctor")
    for name in ("mini-details", "mini-directions"):
        assert f"broken   {name}: {folder / name}.safetensors was trained for other weights than" in done.out


def test_older_details_are_taken_with_a_note(
    geoinv: Callable[..., Done], tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(tiny_weights, folder)
    monkeypatch.setenv("GEOINV_WEIGHTS", str(folder))
    branch, info = load_details()
    extra = {"generator_sha256": info.extra["generator_sha256"]}
    save_model(folder / "mini-details.safetensors", branch, branch.config, extra)
    check = next(check for check in geoinv("doctor", "--json").json["checks"] if check["name"] == "mini-details")
    assert check["state"] == "ok"
    assert check["detail"].endswith("it does not say which encoder it was trained for")


def test_another_model_has_its_own_costs(
    geoinv: Callable[..., Done], tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "own-generator.safetensors"
    shutil.copy(tiny_weights / "mini-generator.safetensors", model)
    monkeypatch.delenv("GEOINV_WEIGHTS")
    done = geoinv("doctor", "--model", model, "--json")
    checks = {check["name"]: check for check in done.json["checks"]}
    assert done.code == 0
    assert checks["own-generator"]["state"] == "ok"
    assert "--method optimise" in checks["own-encoder"]["cost"]
    assert checks["own-encoder"]["state"] == checks["own-details"]["state"] == "missing"
    assert checks["identity"]["state"] == "ok"
    assert "mini-encoder" not in checks


def test_says_which_kernels_are_in_use_and_why(
    geoinv: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from geoinv.ops import _build, _cache, _compile

    def kernels() -> dict[str, str]:
        checks = {check["name"]: check for check in geoinv("doctor", "--json").json["checks"]}
        return checks["kernels"]  # type: ignore[no-any-return]

    monkeypatch.setenv("GEOINV_CACHE", str(tmp_path))
    assert "compiled, the rest at first use" in kernels()["detail"]
    with _build.use_backend("reference"):
        assert kernels()["detail"] == "reference, because GEOINV_BACKEND says so"
    library = _build.library_of(_build.package_operations()[0])
    _cache.remember_failure(library, _compile.fingerprint(_compile.find_compiler()), "error: out of memory")
    assert kernels()["state"] == "broken"
    assert "out of memory" in kernels()["detail"]
    for operation in _build.package_operations():
        library = _build.library_of(operation)
        library.parent.mkdir(parents=True, exist_ok=True)
        library.touch()
    assert "all" in kernels()["detail"]
