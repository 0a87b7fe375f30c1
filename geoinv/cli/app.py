"""The ``geoinv`` command: its sub-commands, and how errors become one line, a hint and an exit code."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from .. import notices
from .._version import __version__
from ..errors import GeoinvError, MissingDependencyError, UsageError, reason_of
from . import (
    align,
    app_page,
    bench,
    console,
    doctor,
    edit,
    evaluate,
    export_avatar,
    export_mesh,
    invert,
    relight,
    render,
    synth,
    train,
    view,
    weights,
)

app = typer.Typer(
    name="geoinv",
    help="One face photo to an editable 3D head: views, edits, a coloured mesh and a rigged avatar.",
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
app.command("relight")(relight.relight)
app.command("export-mesh")(export_mesh.export_mesh)
app.command("export-avatar")(export_avatar.export_avatar)
app.command("view")(view.view)
app.command("app")(app_page.app_page)
app.command("eval")(evaluate.evaluate)
app.command("bench")(bench.bench)
app.command("doctor")(doctor.doctor)
app.add_typer(synth.app, name="synth")
app.add_typer(train.app, name="train")
app.add_typer(weights.app, name="weights")


_INTERRUPTED = 128 + signal.SIGINT
_STREAM_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF, errno.ENXIO}


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
    """One face photo to an editable 3D head: views, edits, a coloured mesh and a rigged avatar."""


class _Ended(BaseException):
    """The system asked the program to end; everything half-written is removed on the way out."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.exit_code = 128 + signal_number


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code; unknown exceptions keep their traceback."""
    if sys.stderr is None:  # closed: nothing else may get its number, as libraries write there
        sys.stderr = open(os.open(os.devnull, os.O_WRONLY), "w")  # noqa: SIM115
    _end_cleanly_on(signal.SIGTERM)
    if hasattr(signal, "SIGHUP"):
        _end_cleanly_on(signal.SIGHUP)
    sys.exit(run(argv))


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    console.make_streams_safe()
    if sys.stdout is None:
        console.print_error("standard output is closed", "send it to a file, or to /dev/null")
        return UsageError.exit_code
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
    except _Ended as ended:
        console.print_error("ended from outside", None)
        return ended.exit_code
    except BrokenPipeError:  # whoever read stdout has gone
        _drop_stdout()
        return 1
    except OSError as error:
        if not _is_of_stdout(error):
            raise
        console.print_error(f"cannot write to standard output: {reason_of(error)}", "send it to a file on another disk")
        _drop_stdout()
        return UsageError.exit_code
    except ImportError as error:
        if (error.name or "").startswith("geoinv") or os.environ.get("GEOINV_DEBUG") == "1":
            raise
        console.print_error(f"a package is missing or broken: {error}", "`geoinv doctor` says which, and what to do")
        return MissingDependencyError.exit_code
    except Exception as error:
        message = _usage_message(error, arguments)
        if message is None:
            raise
        if message:
            console.print_error(message, f"`{_command_path(error)} --help` shows what it takes")
        return int(getattr(error, "exit_code", 2))


def _end_cleanly_on(signal_number: signal.Signals) -> None:
    """Turn a signal into an exception in this process; processes that it starts end as by default."""
    owner = os.getpid()

    def end(number: int, _frame: object) -> None:
        if os.getpid() == owner:
            raise _Ended(number)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    if signal.getsignal(signal_number) is not signal.SIG_IGN:  # as nohup asks for
        signal.signal(signal_number, end)


def _is_of_stdout(error: OSError) -> bool:
    """Whether it is stdout that cannot be written: errors of files name them, or :mod:`geoinv.files` has said so."""
    return error.filename is None and error.errno in _STREAM_ERRORS


def _drop_stdout() -> None:
    """Keep the interpreter from complaining when it flushes stdout at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _usage_message(error: Exception, arguments: Sequence[str]) -> str | None:
    """Return the message of a command-line mistake that typer found; None for any other exception.

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
    value = _value_given(getattr(error, "param", None), arguments)
    if value is not None and value not in message:  # newer typers leave it out
        message = f"{message} (got {value!r})"
    return message[:1].lower() + message[1:] if not message[:2].isupper() else message


def _value_given(parameter: object, arguments: Sequence[str]) -> str | None:
    """Return the text that was given for an option, the last one; None for an argument and for flags."""
    names = getattr(parameter, "opts", ())
    for index in reversed(range(len(arguments))):
        name, equals, value = arguments[index].partition("=")
        if name in names and name.startswith("-"):
            return value if equals else next(iter(arguments[index + 1 :]), None)
    return None


def _command_path(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return str(getattr(context, "command_path", "geoinv"))
