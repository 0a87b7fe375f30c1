"""Notices: what runs otherwise than by default because something is missing, said once and kept for the report.

A notice is about the run (a slower kernel, a default method without its weights), never about one photo: what speaks
against a photo is in :attr:`geoinv.align.AlignedFace.warnings`. What was asked for by name and cannot be had is an
error instead.

``geoinv`` prints each notice as ``warning: ...`` and writes all of them to ``report.json`` and ``--json``. A library
prints them on stderr; :func:`collect` sends them elsewhere.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Show = Callable[[str], None]


def _print(message: str) -> None:
    print(f"geoinv: {message}", file=sys.stderr)


@dataclass
class _Collection:
    show: Show = _print
    messages: list[str] = field(default_factory=list)


_collections = [_Collection()]  # the process's own, then those of ``collect``, innermost last
_lock = threading.Lock()


def notify(message: str) -> None:
    """Say on stderr what is missing and what runs instead; the same message is said once.

    Call it at each use, not only at the first: each :func:`collect` needs to hear it.

    Args:
        message: One line: what runs, and why not the other; without a full stop.
    """
    with _lock:
        collection = _collections[-1]
        if message in collection.messages:
            return
        collection.messages.append(message)
    collection.show(message)


def given() -> list[str]:
    """All notices so far, of the innermost :func:`collect` or else of the process, in their order."""
    return list(_collections[-1].messages)


@contextmanager
def collect(show: Show = _print) -> Iterator[None]:
    """Begin with no notices, and restore the earlier ones afterwards; for a run of the command line.

    Threads that run meanwhile give their notices here too.

    Args:
        show: Called with each new notice; prints on stderr by default.
    """
    collection = _Collection(show)
    _collections.append(collection)
    try:
        yield
    finally:
        _collections.remove(collection)
