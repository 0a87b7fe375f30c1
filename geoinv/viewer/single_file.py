"""One HTML file out of a page, its styles and its scripts: it opens from a disk, and needs nothing else.

Browsers load no modules and fetch no files from ``file://``, so everything stands in the page itself. A content
security policy with the hashes of the page's own scripts and styles allows nothing else: no network, no other script.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path

PAGE_FOLDER = Path(__file__).parent / "page"

_STYLE = re.compile(r'<link rel="stylesheet" href="([^"]+)">')
_SCRIPT = re.compile(r'<script src="([^"]+)"></script>')
_FIELD = re.compile(r"\{\{(\w+)\}\}")


def single_file(page: Path, fields: Mapping[str, str]) -> str:
    """The HTML of a page with its linked styles and scripts inside.

    Args:
        page: The page's HTML file. Styles and scripts are linked relative to it.
        fields: Texts for ``{{name}}`` in the page; they are escaped.
    """
    hashes: dict[str, list[str]] = {"style": [], "script": []}

    def inside(kind: str, link: str) -> str:
        # Browsers hash what they parsed, with line ends as \n; and a script ends at the first "</script".
        text = (page.parent / link).read_text(encoding="utf-8")
        if f"</{kind}" in text.lower():
            raise ValueError(f"{link} holds </{kind}")
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        hashes[kind].append(f"'sha256-{digest}'")
        return f"<{kind}>{text}</{kind}>"

    html = page.read_text(encoding="utf-8")
    # Fields first: what the scripts hold may look like one.
    html = _FIELD.sub(lambda match: escape(fields[match[1]]), html)
    html = _STYLE.sub(lambda match: inside("style", match[1]), html)
    html = _SCRIPT.sub(lambda match: inside("script", match[1]), html)
    return html.replace('<meta charset="utf-8">', f'<meta charset="utf-8">\n    {_policy(hashes)}', 1)


def _policy(hashes: Mapping[str, list[str]]) -> str:
    """Return the page's policy; blob and data are the textures inside the head, which three.js reads as such."""
    rules = {
        "default-src": "'none'",
        "script-src": " ".join(hashes["script"]),
        "style-src": " ".join(hashes["style"]),
        "img-src": "data: blob:",
        "connect-src": "data: blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    content = "; ".join(f"{name} {sources}" for name, sources in rules.items())
    return f'<meta http-equiv="Content-Security-Policy" content="{content}">'
