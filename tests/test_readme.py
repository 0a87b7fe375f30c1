"""README's library example runs as it stands."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.tiny_models import write_tiny_weights

ROOT = Path(__file__).parents[1]


def test_library_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    monkeypatch.setenv("GEOINV_WEIGHTS", str(write_tiny_weights(tmp_path / "weights")))
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "examples" / "woman.jpg", "me.jpg")
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    assert Path("me.geoinv").stat().st_size > 100_000
    assert Path("me.ply").stat().st_size > 10_000


def test_every_command_is_described() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    from geoinv.cli.app import app

    names = [command.name for command in app.registered_commands] + [group.name for group in app.registered_groups]
    assert len(names) >= 11
    for name in names:
        assert f"`geoinv {name}" in text
