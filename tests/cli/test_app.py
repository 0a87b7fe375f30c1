"""The command line as a whole: help, usage errors, nothing heavy at import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from geoinv import __version__

from .conftest import Done

COMMANDS = (
    *("align", "invert", "render", "edit", "export-mesh", "export-avatar", "view"),
    *("app", "eval", "doctor", "synth", "train", "weights"),
)


def test_help_names_every_command_and_exit_code(geoinv: Callable[..., Done]) -> None:
    done = geoinv("--help")
    assert done.code == 0
    for name in COMMANDS:
        assert f"  {name} " in done.out
    assert "Exit codes: 0 ok" in done.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(geoinv: Callable[..., Done], command: str) -> None:
    done = geoinv(command, "--help")
    assert done.code == 0
    assert done.out.startswith(f"Usage: geoinv {command}")


def test_version(geoinv: Callable[..., Done]) -> None:
    assert geoinv("--version").out == f"geoinv {__version__}\n"


def test_usage_errors(geoinv: Callable[..., Done]) -> None:
    geoinv("inverse").assert_fails(2, "no such command", "inverse")
    geoinv("invert").assert_fails(2, "missing argument", "geoinv invert --help")
    geoinv("invert", "--turntable", "avi", "x.jpg").assert_fails(2, "'avi'")
    geoinv("render", "--veiws", "3").assert_fails(2, "--veiws")


def test_ctrl_c_is_one_line(geoinv: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("geoinv.doctor.examine", interrupted)
    done = geoinv("doctor")
    assert (done.code, done.out, done.err) == (130, "", "error: interrupted\n")


def test_help_and_import_load_nothing_heavy() -> None:
    code = (
        "import sys, geoinv, geoinv.cli.app as app\n"
        "assert app.run(['--help']) == 0\n"
        "heavy = {'torch', 'cv2', 'numpy', 'trimesh', 'PIL', 'safetensors'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, cwd=root)


def test_models_are_loaded_without_a_compiler_and_scipy() -> None:
    """Torch's compiler takes seconds to import, and `torch.cat` of tensors without memory did it."""
    code = (
        "import sys, geoinv, geoinv.inversion.encode\n"
        "session = geoinv.load('mini', device='cpu')\n"
        "session.encoder\n"
        "heavy = {'torch._dynamo', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_broken_packages(geoinv: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    for name in [name for name in sys.modules if name.startswith("geoinv.align")]:
        monkeypatch.delitem(sys.modules, name)
    Path("photo.jpg").write_bytes(b"never read")
    geoinv("align", "photo.jpg").assert_fails(6, "cv2", "geoinv doctor")


def test_unknown_exceptions_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    from geoinv.cli import app

    def fail(**_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(app, "app", fail)
    with pytest.raises(ZeroDivisionError):
        app.run(["doctor"])
