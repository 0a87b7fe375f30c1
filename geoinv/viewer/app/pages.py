"""The app's own pages: a fixed table of files. Nothing else of the disk can be asked for."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent
_SHARED = ("theme.css", "layout.css", "controls.css", "controls.js")
"""What all pages of geoinv have in common."""
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}


def page_files() -> dict[str, tuple[Path, str]]:
    """Path and media type of each file that pages are made of, by its name."""
    own = [path for path in sorted((_HERE / "page").iterdir()) if path.suffix in _TYPES]
    files = [*(_HERE.parent / "page" / name for name in _SHARED), *own]
    return {path.name: (path, _TYPES[path.suffix]) for path in files}
