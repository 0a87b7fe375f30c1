"""Reading the project's pages: their text, tables, links and the names in them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "examples/README.md", *(ROOT / "weights").glob("*.md")]
)


def read(name: str) -> str:
    """Text of a page, named from the root of the project."""
    return (ROOT / name).read_text(encoding="utf-8")


def without_code(text: str) -> str:
    """Text without its blocks of code."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def tables(text: str) -> list[list[list[str]]]:
    """Rows of cells of every table, the heading first."""
    found: list[list[list[str]]] = []
    before = ""
    for line in text.splitlines():
        if line.startswith("|"):
            if not before.startswith("|"):
                found.append([])
            cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])]
            if not all(set(cell) <= {"-", ":"} and cell for cell in cells):
                found[-1].append(cells)
        before = line
    return found


def code_names(text: str) -> list[str]:
    """All that stands between backticks, blocks of code left out."""
    return re.findall(r"`([^`\n]+)`", without_code(text))
