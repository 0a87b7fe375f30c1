"""Batches that are made by a thread while the step before them is computed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


def in_background(make: Callable[[], T], depth: int = 4) -> Generator[T, None, None]:
    """Yield results of ``make`` without end, up to ``depth`` of them prepared ahead by one thread.

    An exception in the thread is raised here. Close the generator (``contextlib.closing``): that ends the thread, and
    a process that ends while it runs may crash.
    """
    ready: queue.Queue[T | BaseException] = queue.Queue(maxsize=depth)
    is_closed = threading.Event()

    def work() -> None:
        while not is_closed.is_set():
            try:
                ready.put(make())
            except BaseException as error:  # handed over, not swallowed
                ready.put(error)
                return

    thread = threading.Thread(target=work, daemon=True)
    try:
        thread.start()
        while True:
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        is_closed.set()
        while thread.is_alive():  # it may wait for room
            with suppress(queue.Empty):
                ready.get(timeout=0.05)
