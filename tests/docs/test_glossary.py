"""The glossary's names are those of the code."""

from __future__ import annotations

import pytest

from tests.docs.pages import ROOT, code_names, read, tables

ROWS = [row for table in tables(read("docs/glossary.md")) for row in table[1:]]


def test_about_forty_terms_are_explained() -> None:
    assert len(ROWS) >= 30
    assert all(len(row) == 3 and row[1].endswith(".") for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_names_occur_in_the_code(row: list[str]) -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "geoinv").rglob("*.py")))
    names = code_names(row[2])
    assert names
    for name in names:
        assert name in text or (ROOT / "geoinv" / f"{name}.py").exists() or (ROOT / "geoinv" / name).is_dir(), name
