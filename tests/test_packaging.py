"""What is packed: the source distribution holds all that the Makefile's targets need."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_the_source_distribution_is_complete() -> None:
    sdist = pytest.importorskip("hatchling.builders.sdist")
    packed = {file.relative_path for file in sdist.SdistBuilder(str(ROOT)).recurse_included_files()}
    for folder in ("geoinv", "weights", "examples", "docs", "tests", ".ci", ".github"):
        files = [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        assert files
        assert {path.relative_to(ROOT).as_posix() for path in files} <= packed
    assert {"Makefile", "README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml"} <= packed
    assert not [path for path in packed if "__pycache__" in path or path.startswith((".venv", "outputs", "dist"))]


def test_the_wheel_holds_the_pages() -> None:
    wheel = pytest.importorskip("hatchling.builders.wheel")
    packed = {file.relative_path for file in wheel.WheelBuilder(str(ROOT)).recurse_included_files()}
    pages = [*(ROOT / "geoinv" / "viewer" / "page").iterdir(), *(ROOT / "geoinv" / "viewer" / "three").iterdir()]
    assert {path.relative_to(ROOT).as_posix() for path in pages} <= packed
    assert {path.suffix for path in pages} >= {".html", ".css", ".js"}
