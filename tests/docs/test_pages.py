"""What pages point to is there, and every page can be reached from README."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, code_names, without_code

_FOLDERS = ("geoinv", "tests", "docs", "examples", "weights", ".ci", ".github")


def links(page: Path) -> list[Path]:
    """Files of the project that a page links to."""
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", without_code(page.read_text(encoding="utf-8")))
    return [(page.parent / target).resolve() for target in targets if "://" not in target]


def paths_named(text: str) -> list[str]:
    """Paths from the root of the project that stand between backticks; placeholders (NAME, <op>, *) are left out."""
    return [
        name.rstrip("/")
        for name in code_names(text)
        if name.split("/")[0] in _FOLDERS
        and "/" in name
        and not re.search(r"[<>*\s]|(?<![A-Z])[A-Z]{4,}(?![A-Z_]|\.md)", name)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_paths_exist(page: Path) -> None:
    missing = [str(path) for path in links(page) if not path.exists()]
    missing += [name for name in paths_named(page.read_text(encoding="utf-8")) if not (ROOT / name).exists()]
    assert not missing


def test_every_page_is_reachable_from_readme() -> None:
    seen: set[Path] = set()
    todo = [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen:
            continue
        seen.add(page)
        todo += [path for path in links(page) if path.suffix == ".md" and path.exists()]
    assert not set(PAGES) - seen - {ROOT / "tests/golden/README.md"}


def test_missing_files_are_found() -> None:
    assert paths_named("`geoinv/nothing.py`, `docs/x/`, `geoinv invert`, `geoinv/ops/<op>/`, `tests/test_NAME.py`") == [
        "geoinv/nothing.py",
        "docs/x",
    ]
