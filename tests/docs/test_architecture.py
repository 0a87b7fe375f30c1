"""docs/architecture.md is true: imports go down the floors that it draws."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.docs.pages import ROOT, read

PACKAGE = ROOT / "geoinv"
PAGE = read("docs/architecture.md")


def floors() -> dict[str, int]:
    """Floor of each room in the page's picture; 0 is the ground."""
    picture = re.search(r"```floors\n(.*?)```", PAGE, re.DOTALL)
    assert picture is not None
    lines = [line.split("|")[0].split() for line in picture[1].splitlines()]
    return {room: floor for floor, rooms in enumerate(reversed(lines)) for room in rooms}


def rooms_in_code() -> set[str]:
    """Folders and files of the package, without those that stand for the package itself."""
    names = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    return names - {"__init__", "__main__", "_version"}


def imports(path: Path) -> set[str]:
    """Rooms that a file imports when it runs; what stands under ``if TYPE_CHECKING`` is for readers alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    folder = path.parent.relative_to(ROOT).parts
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level and id(node) not in for_types:
            base = [*folder[: len(folder) - node.level + 1], *(node.module.split(".") if node.module else [])]
            found |= {base[1]} if len(base) > 1 else {alias.name for alias in node.names}
    return found


def test_every_room_is_drawn() -> None:
    assert set(floors()) == rooms_in_code()


def test_imports_go_down() -> None:
    floor = floors()
    upward = []
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room in floor:
            upward += [
                f"{path.relative_to(ROOT)} imports {other}"
                for other in imports(path)
                if other != room and other in floor and floor[other] >= floor[room]
            ]
    assert not upward


def test_an_import_upward_is_found(tmp_path: Path) -> None:
    path = PACKAGE / "ops" / "__init__.py"
    assert imports(path) <= {"errors", "ops", "notices"}
    session = imports(PACKAGE / "session.py")
    assert "inversion" in session and floors()["inversion"] < floors()["session"]
