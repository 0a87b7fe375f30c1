"""The programs in examples/ run, and are short."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh

from geoinv.images import read_image
from tests.tiny_models import write_tiny_weights

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(autouse=True)
def tiny_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOINV_WEIGHTS", str(write_tiny_weights(tmp_path / "weights")))


def run(name: str, monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    """Run a program of examples/ as a user does."""
    program = str(EXAMPLES / name)
    monkeypatch.setattr(sys, "argv", [program, *map(str, arguments)])
    runpy.run_path(program, run_name="__main__")


def test_photo_to_mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run("photo_to_mesh.py", monkeypatch, EXAMPLES / "woman.jpg", tmp_path / "head.ply", "--resolution", "24")
    mesh = trimesh.load(tmp_path / "head.ply")
    assert mesh.is_watertight
    assert 100.0 < float(max(mesh.extents)) < 400.0  # millimetres: the box is 370 wide
    assert f"{len(mesh.faces)} triangles" in capsys.readouterr().out


def test_edit_and_render(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("edit_and_render.py", monkeypatch, EXAMPLES / "woman.jpg", tmp_path / "age.png", "--attribute", "age")
    picture = read_image(tmp_path / "age.png")
    assert picture.shape == (2 * 32, 3 * 32, 3)  # the tiny model's pictures have 32 pixels
    assert not np.array_equal(picture[:32], picture[32:])  # the edit shows


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_examples_are_short_and_named(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < 40
    assert path.name in (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert f'"{path.name}"' in Path(__file__).read_text(encoding="utf-8")  # a test runs it
