"""The app's own pages: a fixed table of files. Nothing else of the disk can be asked for."""

from __future__ import annotations

from pathlib import Path

_FOLDERS = (
    Path(__file__).parent / "page",
    Path(__file__).parent.parent / "page",
)  # the app's own, and what pages share
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def page_files() -> dict[str, tuple[Path, str]]:
    """Path and media type of each file that pages are made of, by its name."""
    return {
        path.name: (path, _TYPES[path.suffix])
        for folder in _FOLDERS
        for path in sorted(folder.glob("*"))
        if path.suffix in _TYPES
    }
