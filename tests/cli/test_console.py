"""Results on stdout, talk on stderr, and a bar only on a terminal."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from geoinv.cli import console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bar_leaves_stdout_alone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with console.progress("counting", 3) as update:
        for done in (1, 2, 3):
            update(done)
            console.line(f"result {done}")
            with console.progress("within", 9) as inner:
                inner(1)
    assert capsys.readouterr().out == "result 1\nresult 2\nresult 3\n"
    assert "counting" in terminal.getvalue()
    assert "within" not in terminal.getvalue()


def test_no_bar_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress("counting", 3) as update:
        update(3)
    assert capsys.readouterr().err == ""


def test_quiet_silences_all_but_errors(capsys: pytest.CaptureFixture[str]) -> None:
    console.set_quiet(True)
    console.talk("hello")
    console.warn("careful")
    console.print_error("two\nlines", "a hint")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "error: two lines\nhint: a hint\n")


def test_json_is_one_strict_object(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_json({"path": Path("a/[x].png"), "nan": float("nan"), "list": [1, (2.5, None)], "is": True})
    text = capsys.readouterr().out
    assert json.loads(text) == {"path": "a/[x].png", "nan": None, "list": [1, [2.5, None]], "is": True}
