"""Tables of results say what docs/results holds: each names its data in a comment above it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import PAGES, ROOT, read, tables

DATA = ROOT / "docs/results"
_MARKED = re.compile(r"<!-- table: ([\w.]+) \| (.*?) -->\n((?:\|.*\n)+)")


def marked_tables(text: str) -> list[tuple[str, list[str], list[list[str]]]]:
    """(data file, columns, rows of cells without the heading) of every table with a comment above it."""
    return [(file, columns.split(" | "), tables(rows)[0][1:]) for file, columns, rows in _MARKED.findall(text)]


def cells(row: dict[str, Any], columns: list[str]) -> list[str]:
    """What a table shows of a row of data; a column is a name, or a name and a format (``.1`` digits, ``d`` whole)."""
    shown = []
    for column in columns:
        name, _, form = column.partition(" ")
        value = row.get(name)
        shown.append("" if value is None else f"{value:{form if form in ('', 'd') else form + 'f'}}")
    return shown


FOUND = [(page, table) for page in PAGES for table in marked_tables(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("page", "table"), FOUND, ids=[f"{page.name}-{table[0]}" for page, table in FOUND])
def test_table_shows_its_data(page: Path, table: tuple[str, list[str], list[list[str]]]) -> None:
    file, columns, shown = table
    rows = json.loads((DATA / file).read_text(encoding="utf-8"))["rows"]
    wanted = [cells(row, columns) for row in rows]
    if page.name == "README.md":  # it shows a choice of rows
        wanted = [row for row in wanted if row[0] in [cells_of[0] for cells_of in shown]]
    assert shown == wanted


def test_every_table_of_results_has_data() -> None:
    assert len(marked_tables(read("docs/results.md"))) == len(tables(read("docs/results.md")))
    assert {file for _, (file, *_) in FOUND} == {path.name for path in DATA.glob("*.json")}


def test_data_say_how_they_were_made() -> None:
    for path in DATA.glob("*.json"):
        data = json.loads(path.read_text(encoding="utf-8"))
        assert data["made_by"]["command"] and data["rows"], path.name


def test_cells_are_rounded() -> None:
    row = {"variant": "E0", "depth_mm": 9.7195, "heads": 48}
    assert cells(row, ["variant", "depth_mm .1", "heads d", "missing .2"]) == ["E0", "9.7", "48", ""]
