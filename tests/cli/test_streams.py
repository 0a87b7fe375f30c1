"""The command line where its streams, its folder or its disk fail: one line with the true cause, never a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="shells and signals of Unix")

GEOINV = f"{sys.executable} -m geoinv"


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of a shell, with ``geoinv`` in it."""
    shipped = {name: value for name, value in os.environ.items() if name != "GEOINV_WEIGHTS"}
    return subprocess.run(
        ["bash", "-c", f'geoinv() {{ {GEOINV} "$@"; }}\n{command}'],
        env={**shipped, "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
        capture_output=True,
        timeout=120,
        check=False,
    )


def said(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    return [line.split(":")[0] for line in done.stderr.decode(errors="replace").splitlines()]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_full_stdout() -> None:
    for command in ("weights list", "weights list --json", "--help", "--version"):
        done = shell(f"geoinv {command} > /dev/full")
        assert (done.returncode, said(done)) == (2, ["error", "hint"]), done.stderr
        assert b"standard output: no space left" in done.stderr


def test_closed_streams() -> None:
    done = shell("geoinv weights list >&-")
    assert (done.returncode, said(done)) == (2, ["error", "hint"]), done.stderr
    assert b"standard output is closed" in done.stderr
    done = shell("geoinv weights list 2>&- </dev/null")
    assert done.returncode == 0 and b"mini" in done.stdout


def test_reader_of_stdout_that_went_away() -> None:
    done = shell("geoinv weights list | true; exit ${PIPESTATUS[0]}")
    assert done.stderr == b"" and done.returncode in (0, 1)


def test_full_stderr_does_not_end_the_work() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    done = shell("geoinv weights info mini 2>/dev/full")
    assert done.returncode == 0, done.stderr


def test_current_folder_that_was_deleted() -> None:
    done = shell("mkdir gone; cd gone; rmdir ../gone; geoinv align x.jpg --out y")
    assert (done.returncode, said(done)) == (2, ["error", "hint"]), done.stderr
    assert b"current folder does not exist any more" in done.stderr
    assert shell("mkdir gone; cd gone; rmdir ../gone; geoinv --help").returncode == 0


def test_names_that_the_terminal_cannot_show() -> None:
    name = "名_é.jpg"
    done = shell(f"geoinv align {name!r} --out out", PYTHONIOENCODING="cp1252")
    assert (done.returncode, said(done)) == (5, ["error", "hint"]), done.stderr
    assert b"\\u540d_\xe9.jpg" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_leave_nothing_half_written(tmp_path: Path, number: int) -> None:
    """The process writes a file when the signal comes."""
    code = (
        "import signal, sys, time\n"
        # Tests that run under nohup hand down that it is ignored.
        f"signal.signal({int(number)}, signal.SIG_DFL)\n"
        "from pathlib import Path\n"
        "from geoinv.cli import app\n"
        "from geoinv.files import atomic_path\n"
        "def work(**_):\n"
        "    with atomic_path(Path('result.mp4')) as temporary:\n"
        "        temporary.write_text('half')\n"
        "        print('writing', flush=True)\n"
        "        time.sleep(60)\n"
        "app.app = work\n"
        "app.main([])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"writing\n"
    assert [path.suffix for path in tmp_path.iterdir()] == [".mp4"]
    process.send_signal(number)
    _, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (128 + number, b"error: ended from outside\n")
    assert list(tmp_path.iterdir()) == []
