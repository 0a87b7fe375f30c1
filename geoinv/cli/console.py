"""Output of the command line: results on stdout, talk on stderr, progress only on a terminal."""

from __future__ import annotations

import json
import math
import os
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import typer

from .. import notices
from ..errors import UsageError

if TYPE_CHECKING:
    from rich.progress import Progress

# Line breaks and colours of the terminal, undecodable bytes of file names, marks that turn the reading direction.
_ESCAPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

_is_quiet = False
_bar: Progress | None = None
_collected: list[str] | None = None


@dataclass(frozen=True)
class Command:
    """A command at work, which ends in one result.

    Args:
        as_json: Whether the result is printed as one JSON object, not as lines for people.
        start: Time of the start, as ``time.perf_counter`` counts.
    """

    as_json: bool
    start: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Time since the start, rounded to milliseconds."""
        return round(time.perf_counter() - self.start, 3)

    def result(
        self, summary: str, record: Mapping[str, Any], files: Sequence[Path] = (), *, device: object = None
    ) -> None:
        """Print the result.

        Args:
            summary: One line for people; the files follow, a line each.
            record: Values for JSON; seconds are added.
            files: Files that were made.
            device: Device that did the work, added to the record where there was one.
        """
        where = {} if device is None else {"device": str(getattr(device, "type", device))}
        print_result(summary, {**record, **where, "seconds": self.seconds}, files, as_json=self.as_json)


def command(quiet: bool, as_json: bool) -> Command:
    """Begin a command.

    Args:
        quiet: Whether nothing but errors is said on stderr.
        as_json: Whether the result is one JSON object.

    Raises:
        UsageError: The current folder does not exist any more, so that no relative path means anything.
    """
    try:
        os.getcwd()
    except OSError:
        raise UsageError("the current folder does not exist any more", "change to another one: cd ~") from None
    set_quiet(quiet)
    return Command(as_json)


def make_streams_safe() -> None:
    """Let stdout and stderr escape what their encoding lacks: a file name must not end a run."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def escaped(text: object) -> str:
    """Return a name or message with line breaks, control characters and undecodable bytes as escapes: ``\\udcff``."""
    return "".join(
        character.encode("unicode_escape", "surrogatepass").decode()
        if unicodedata.category(character) in _ESCAPED_CATEGORIES
        else character
        for character in str(text)
    )


def set_quiet(quiet: bool) -> None:
    """Silence :func:`talk`, :func:`warn` and :func:`progress` for this run of the command line."""
    global _is_quiet
    _is_quiet = quiet


def line(text: str) -> None:
    """Print one line of the result on stdout."""
    with _without_bar():
        typer.echo(escaped(text))


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of the result under headings, on stdout; the first column names a row, the others are numbers."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, heading in enumerate(headings):
        drawn.add_column(Text(escaped(heading)), justify="right" if index else "left", vertical="bottom")
    for row in rows:
        drawn.add_row(*(Text(escaped(cell)) for cell in row))
    with _without_bar():
        # In a file or a pipe nothing has to fit the width of a terminal.
        Console(width=None if _is_terminal(sys.stdout) else 200).print(drawn)


def talk(text: str) -> None:
    """Print one line for the person at the terminal, on stderr."""
    if _collected is not None:
        _collected.append(text)
    elif not _is_quiet:
        with _without_bar():
            _say(escaped(text))


def warn(text: str) -> None:
    """Print a caution on stderr."""
    talk(f"warning: {text}")


def print_error(message: str, hint: str | None) -> None:
    """Print ``error: ...`` and ``hint: ...`` on stderr, a line each."""
    _say("error: " + escaped(" ".join(message.split())))
    if hint:
        _say("hint: " + escaped(" ".join(hint.split())))


def print_json(values: Mapping[str, Any]) -> None:
    """Print one JSON object on stdout; paths as strings, numbers that JSON lacks as null."""
    text = json.dumps(_plain(values), indent=2, ensure_ascii=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(_plain(values), indent=2, ensure_ascii=True)
    typer.echo(text)


def print_result(summary: str, values: Mapping[str, Any], files: Sequence[Path], *, as_json: bool) -> None:
    """Print a result: for people the summary and the files, a line each; else one JSON object, with all notices."""
    if as_json:
        print_json({**values, "warnings": values.get("warnings", notices.given())})
        return
    with _without_bar():
        typer.echo("\n".join([escaped(summary), *(f"  {escaped(path)}" for path in files)]))


@contextmanager
def collected() -> Iterator[list[str]]:
    """Keep what :func:`talk` and :func:`warn` say, in the list that is yielded, for another place or process."""
    global _collected
    before, _collected = _collected, []
    try:
        yield _collected
    finally:
        _collected = before


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[..., None]]:
    """Show a bar on stderr where that is a terminal; yields ``update(number_done)``. A bar within a bar is left out.

    ``update(number_done, text)`` also changes what stands before the bar.
    """
    global _bar
    if _is_quiet or _bar is not None or total < 2 or not _is_terminal(sys.stderr):
        yield lambda done, text=label: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Redirection would send stdout where the bar is: to stderr.
    bar = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False)
    task = bar.add_task(escaped(label), total=total)
    _bar = bar
    try:
        with bar:
            yield lambda done, text=label: bar.update(task, completed=done, description=escaped(text))
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
        if sys.stdout is not None:
            sys.stdout.flush()
    finally:
        _bar.start()


def _say(text: str) -> None:
    """Write to stderr, where it takes it: a full disk behind it must not end the work."""
    with suppress(OSError):
        typer.echo(text, err=True)


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()  # None where the descriptor was closed


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
