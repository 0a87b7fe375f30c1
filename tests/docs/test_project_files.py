"""Versions and Pythons are the same in all files that name them."""

from __future__ import annotations

import re

from geoinv import __version__
from tests.docs.pages import read


def test_citation_and_changelog_know_the_version() -> None:
    assert re.search(r"^version: (.*)$", read("CITATION.cff"), re.MULTILINE)[1] == __version__  # type: ignore[index]
    assert f"\n## {__version__}\n" in read("CHANGELOG.md")


def test_workflow_runs_the_oldest_and_the_newest_python() -> None:
    low, high = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', read("pyproject.toml")).groups()  # type: ignore[union-attr]
    oldest, newest = f"3.{low}", f"3.{int(high) - 1}"
    workflow = read(".github/workflows/test.yml")
    assert f'python: ["{oldest}", "{newest}"]' in workflow
    assert "run: .ci/run" in workflow
    for page in ("README.md", "CONTRIBUTING.md", "Makefile"):
        assert f"Python {oldest} to {newest}" in " ".join(read(page).split()), page
