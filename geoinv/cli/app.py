"""The ``geoinv`` command: its sub-commands, and how errors become one line, a hint and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from .. import notices
from .._version import __version__
from ..errors import GeoinvError, MissingDependencyError
from . import align, bench, console, doctor, edit, evaluate, export_mesh, invert, render, synth, train, weights

app = typer.Typer(
    name="geoinv",
    help="One face photo to an editable 3D head: views, edits and a coloured mesh.",
    epilog="Exit codes: 0 ok, 1 failure, 2 usage, 3 weights or .geoinv, 4 native build, 5 photo, 6 missing dependency.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("align")(align.align)
app.command("invert")(invert.invert)
app.command("render")(render.render)
app.command("edit")(edit.edit)
app.command("export-mesh")(export_mesh.export_mesh)
app.command("eval")(evaluate.evaluate)
app.command("bench")(bench.bench)
app.command("doctor")(doctor.doctor)
app.add_typer(synth.app, name="synth")
app.add_typer(train.app, name="train")
app.add_typer(weights.app, name="weights")


_INTERRUPTED = 128 + signal.SIGINT


def _version(value: bool) -> None:
    if value:
        console.line(f"geoinv {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """One face photo to an editable 3D head: views, edits and a coloured mesh."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code; unknown exceptions keep their traceback."""
    sys.exit(run(argv))


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        with notices.collect(show=console.warn):
            code = int(app(args=arguments, prog_name="geoinv", standalone_mode=False) or 0)
        if code == _INTERRUPTED:  # which typer makes of Ctrl-C without a word
            raise KeyboardInterrupt
        sys.stdout.flush()
        return code
    except GeoinvError as error:
        console.print_error(error.message, error.hint)
        if os.environ.get("GEOINV_DEBUG") == "1":
            raise
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        console.print_error("interrupted", None)
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read stdout has gone; keep the interpreter from complaining when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ImportError as error:
        if (error.name or "").startswith("geoinv") or os.environ.get("GEOINV_DEBUG") == "1":
            raise
        console.print_error(f"a package is missing or broken: {error}", "`geoinv doctor` tells which and what to do")
        return MissingDependencyError.exit_code
    except Exception as error:
        message = _usage_message(error)
        if message is None:
            raise
        if message:
            console.print_error(message, f"`{_command_path(error)} --help` shows what it takes")
        return int(getattr(error, "exit_code", 2))


def _usage_message(error: Exception) -> str | None:
    """The message of a command-line mistake that typer found; None for any other exception.

    typer's usage errors have no public base class (click's, which newer typers carry within), so they are known by
    what they offer.
    """
    describe = getattr(error, "format_message", None)
    if describe is None or not hasattr(error, "exit_code"):
        return None
    if type(error).__name__ == "NoArgsIsHelpError":
        console.talk(str(describe()))
        return ""
    message = str(describe()).rstrip(".").replace("Value error, ", "")
    return message[:1].lower() + message[1:] if not message[:2].isupper() else message


def _command_path(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return str(getattr(context, "command_path", "geoinv"))
