"""The examples of docs/head-model.md run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_examples_run(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "head-model.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 2
    monkeypatch.chdir(ROOT)
    for block in blocks:
        exec(compile(block, "head-model.md", "exec"), {})
