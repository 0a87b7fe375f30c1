"""The page of ``geoinv view``: a head to be turned, moved and lit in any browser, offline."""

from __future__ import annotations

import base64
import gzip
import os
from pathlib import Path

from ..files import atomic_path
from .glb_check import check_glb
from .single_file import PAGE_FOLDER, single_file


def head_page(glb: bytes, title: str) -> str:
    """The HTML of a page that shows a head.

    Args:
        glb: Binary glTF 2.0. Sliders move its morph targets, grouped by ARKit's names; vertices with an attribute
            ``_SEEN`` in [0, 1] can be tinted by it.
        title: Name of the head; any text.

    Raises:
        UsageError: Nothing that a page can show.
    """
    check_glb(glb, title)
    packed = gzip.compress(glb, compresslevel=9, mtime=0)  # the same page for the same head
    return single_file(PAGE_FOLDER / "view.html", {"title": title, "glb": base64.b64encode(packed).decode()})


def write_head_page(path: str | os.PathLike[str], glb: bytes, title: str) -> int:
    """Write the page of :func:`head_page`, whole or not at all; returns its size in bytes."""
    data = head_page(glb, title).encode(errors="replace")
    with atomic_path(path) as temporary:
        Path(temporary).write_bytes(data)
    return len(data)
