"""A page and all that it links are one file, whose policy allows nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

from geoinv.viewer import PAGE_FOLDER, head_page, single_file

from .toy_head import triangle

_HTML = '<meta charset="utf-8"><link rel="stylesheet" href="a.css"><b>{{name}}</b><script src="b.js"></script>'


def page(folder: Path, script: str = "1 < 2 && '{{name}}'") -> Path:
    (folder / "a.css").write_text("b { color: red }", encoding="utf-8")
    (folder / "b.js").write_text(script, encoding="utf-8")
    path = folder / "page.html"
    path.write_text(_HTML, encoding="utf-8")
    return path


def test_links_come_in_and_fields_are_escaped(tmp_path: Path) -> None:
    html = single_file(page(tmp_path), {"name": "<i>\"{{name}}'&"})
    assert "<style>b { color: red }</style>" in html
    assert "<b>&lt;i&gt;&quot;{{name}}&#x27;&amp;</b>" in html
    assert "<script>1 < 2 && '{{name}}'</script>" in html  # scripts stay as they are


def test_policy_has_the_hashes_of_what_is_inside(tmp_path: Path) -> None:
    html = single_file(page(tmp_path), {"name": ""})
    digest = base64.b64encode(hashlib.sha256(b"b { color: red }").digest()).decode()
    assert f"style-src 'sha256-{digest}';" in html
    assert "default-src 'none'" in html
    assert "unsafe" not in html


def test_a_script_that_would_end_early_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"b\.js holds </script"):
        single_file(page(tmp_path, "'</SCRIPT>'"), {"name": ""})


def test_the_heads_page_links_nothing() -> None:
    html = head_page(triangle(), "</title><script>alert(1)</script>")
    assert not re.search(r"<link[^>]+href=\"(?!data:)", html)
    assert not re.search(r"<script[^>]+src=", html)
    assert "<script>alert" not in html
    assert "Copyright © 2010-2026 three.js authors" in html  # licences go where the code goes
    assert "Arjun Barrett" in html
    assert html == head_page(triangle(), "</title><script>alert(1)</script>")


def test_the_page_holds_no_style_or_handler_of_its_own() -> None:
    for path in PAGE_FOLDER.glob("*.html"):  # which the policy would forbid
        assert not re.search(r"<[^>]*\s(style|on\w+)=", path.read_text(encoding="utf-8")), path
