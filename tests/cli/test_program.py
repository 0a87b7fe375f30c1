"""The process of the ``geoinv`` command: how it ends."""

from __future__ import annotations

import subprocess
import sys

import pytest


def ended(main: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a process whose main function has this body."""
    code = (
        "import atexit, sys\n"
        "from geoinv.cli import program\n"
        "def main():\n"
        "    print('before', end='')\n"
        f"    {main}\n"
        "program.main = main\n"
        "program.program()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("main", "code"),
    [("pass", 0), ("sys.exit(0)", 0), ("sys.exit(None)", 0), ("sys.exit(4)", 4), ("sys.exit('no')", 1)],
)
def test_exit_code_and_what_was_printed_stay(main: str, code: int) -> None:
    assert ended(main)[:2] == (code, "before")


def test_an_exception_has_its_traceback() -> None:
    code, _, error = ended("raise ValueError('odd')")
    assert code == 1 and error.endswith("ValueError: odd\n")


def test_what_others_want_done_at_exit_is_done() -> None:
    assert ended("atexit.register(print, ' after', flush=True); sys.exit(3)")[:2] == (3, "before after\n")


def test_threads_are_waited_for() -> None:
    main = "import threading; threading.Timer(0.3, lambda: print(' late')).start()"
    assert ended(main)[:2] == (0, "before late\n")
