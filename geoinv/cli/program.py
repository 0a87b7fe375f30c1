"""The ``geoinv`` command as a process of its own, which starts and ends without what only long-lived programs need."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys

from .app import main

_COLLECTIONS = 10_000, 50
"""New objects after which Python looks for garbage among them, and such looks after which it looks further. By default
these are 700 and 10: at start-up, where a million objects are made that stay, they took a quarter of a second."""


def program() -> None:
    """Run the command line and end the process."""
    gc.set_threshold(*_COLLECTIONS)
    ending = _Ending()
    atexit.register(ending.end)  # the first to be registered runs last
    try:
        main()
        ending.code = 0
    except SystemExit as exit_:
        ending.code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
        raise


class _Ending:
    """The end of the process, after all that others wanted done at exit: what the process has in memory is not taken
    apart piece by piece, which took torch's modules half a second."""

    code = 1  # of an exception with a traceback

    def end(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):  # full, closed, or never there
                stream.flush()
        os._exit(self.code)
