"""The public names of geoinv: removing one is a deliberate edit of ``api_surface.json``.

After a deliberate change: ``python -m tests.test_api_surface`` writes the file anew.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest

import geoinv

SURFACE = Path(__file__).with_name("api_surface.json")
RECORDED: dict[str, list[str]] = json.loads(SURFACE.read_text(encoding="utf-8"))


def public_names() -> dict[str, list[str]]:
    """Sorted names in ``__all__`` by module, of geoinv and of every package in it that has one."""
    root = Path(geoinv.__file__).parent
    packages = sorted(path.parent.relative_to(root).parts for path in root.rglob("__init__.py"))
    modules = {name: import_module(name) for name in (".".join(("geoinv", *parts)) for parts in packages)}
    return {name: sorted(module.__all__) for name, module in modules.items() if hasattr(module, "__all__")}


def test_public_names_are_those_recorded() -> None:
    assert public_names() == RECORDED


@pytest.mark.parametrize("module", sorted(RECORDED))
def test_public_names_resolve(module: str) -> None:
    missing = [name for name in RECORDED[module] if not hasattr(import_module(module), name)]
    assert not missing


def test_other_names_do_not_resolve() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = geoinv.nothing
    assert set(geoinv.__all__) <= set(dir(geoinv))


if __name__ == "__main__":
    SURFACE.write_text(json.dumps(public_names(), indent=2) + "\n", encoding="utf-8")
