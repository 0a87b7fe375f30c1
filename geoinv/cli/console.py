"""What the command line says: results on stdout, talk on stderr, progress only on a terminal."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .. import notices

if TYPE_CHECKING:
    from rich.progress import Progress

_is_quiet = False
_bar: Progress | None = None


def set_quiet(quiet: bool) -> None:
    """Silence :func:`talk`, :func:`warn` and :func:`progress` for this run of the command line."""
    global _is_quiet
    _is_quiet = quiet


def line(text: str) -> None:
    """One line of the result, on stdout."""
    with _without_bar():
        typer.echo(text)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows of the result under headings, on stdout; the first column names a row, the others are numbers."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, heading in enumerate(headings):
        drawn.add_column(Text(heading), justify="right" if index else "left", vertical="bottom")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    with _without_bar():
        # In a file or a pipe nothing has to fit the width of a terminal.
        Console(width=None if sys.stdout.isatty() else 200).print(drawn)


def talk(text: str) -> None:
    """One line for the person at the terminal, on stderr."""
    if not _is_quiet:
        with _without_bar():
            typer.echo(text, err=True)


def warn(text: str) -> None:
    """A caution, on stderr."""
    talk(f"warning: {text}")


def print_error(message: str, hint: str | None) -> None:
    """``error: ...`` and ``hint: ...`` on stderr, a line each."""
    typer.echo("error: " + " ".join(message.split()), err=True)
    if hint:
        typer.echo("hint: " + " ".join(hint.split()), err=True)


def print_json(values: Mapping[str, Any]) -> None:
    """One JSON object on stdout; paths as strings, numbers that JSON lacks as null."""
    typer.echo(json.dumps(_plain(values), indent=2, ensure_ascii=False))


def print_result(summary: str, values: Mapping[str, Any], files: Sequence[Path], *, as_json: bool) -> None:
    """A result: for people the summary and the files made, a line each; else one JSON object, with all notices."""
    if as_json:
        print_json({**values, "warnings": values.get("warnings", notices.given())})
        return
    line("\n".join([summary, *(f"  {path}" for path in files)]))


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[..., None]]:
    """A bar on stderr where that is a terminal; yields ``update(number_done)``. A bar within a bar is left out.

    ``update(number_done, text)`` also changes what stands before the bar.
    """
    global _bar
    if _is_quiet or _bar is not None or total < 2 or not sys.stderr.isatty():
        yield lambda done, text=label: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Redirection would send stdout where the bar is: to stderr.
    bar = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False)
    task = bar.add_task(label, total=total)
    _bar = bar
    try:
        with bar:
            yield lambda done, text=label: bar.update(task, completed=done, description=text)
    finally:
        _bar = None


@contextmanager
def _without_bar() -> Iterator[None]:
    """Take the bar off the terminal while something else is written."""
    if _bar is None:
        yield
        return
    _bar.stop()
    try:
        yield
        sys.stdout.flush()
    finally:
        _bar.start()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, bool | int | str) or value is None:
        return value
    number = float(value)
    return number if math.isfinite(number) else None
