"""The one thread that computes. Quick tasks (views) go before long ones (photos, files), and also between their steps.

Long tasks call :meth:`Worker.breathe` after each of their steps. What waits to be shown is then computed in the middle
of the long task, by the same thread: networks never run in two threads at once, and a head can be turned while
another photo is inverted. Whoever turns a head gets as much time as the step before took, no more, so that long tasks
always come to an end.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from enum import IntEnum
from typing import Any, Generic, TypeVar

from ...errors import GeoinvError

T = TypeVar("T")

_GAP_S = 0.12  # who turns a head asks again within it: a picture's way to the page and back
_LENT_S = 1.0  # the longest time that quick tasks get between two steps of a long one


class Urgency(IntEnum):
    """Order in which waiting tasks are taken."""

    draft = 0
    view = 1
    long = 2


class Stopped(GeoinvError):
    """The app is being ended."""

    def __init__(self) -> None:
        super().__init__("the app is being ended", "start it again")


class Busy(GeoinvError):
    """Too much is waiting already."""

    def __init__(self) -> None:
        super().__init__("too much is waiting already", "ask again in a few seconds")


class Task(Generic[T]):
    """Work to do, and what will come of it.

    Args:
        urgency: Order among those that wait.
        run: The work.
    """

    def __init__(self, urgency: Urgency, run: Callable[[], T]) -> None:
        self.urgency = urgency
        self.run = run
        self.future: Future[T] = Future()
        self.is_abandoned = False

    def abandon(self) -> None:
        """Nobody wants the result any more: the work is not begun, or ends at its next step."""
        self.is_abandoned = True
        self.future.cancel()


class Worker:
    """The thread, and what waits for it.

    Args:
        max_waiting: Number of tasks of one urgency that may wait.
    """

    def __init__(self, max_waiting: int = 100) -> None:
        self.max_waiting = max_waiting
        self._heap: list[tuple[Urgency, int, Task[Any]]] = []
        self._count = itertools.count()
        self._changed = threading.Condition()
        self._is_stopping = False
        self._running: list[Task[Any]] = []  # the long task, and above it the quick one that runs between its steps
        self._step_began = 0.0
        self._lent_s = 0.0  # what quick tasks may take, by the time of long tasks' steps; below 0 they wait
        self._quick_ended = 0.0
        self._thread = threading.Thread(target=self._work, name="geoinv-worker", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def submit(self, urgency: Urgency, run: Callable[[], T]) -> Task[T]:
        """Put work in the queue.

        Raises:
            Busy: Too many tasks of this urgency wait.
            Stopped: The worker is being ended.
        """
        task = Task(urgency, run)
        with self._changed:
            if self._is_stopping:
                raise Stopped
            if sum(waiting is urgency for waiting, _, _ in self._heap) >= self.max_waiting:
                raise Busy
            heapq.heappush(self._heap, (urgency, next(self._count), task))
            self._changed.notify_all()
        return task

    def breathe(self) -> None:
        """Let quick tasks run; called by long tasks, in the worker's thread, after each of their steps.

        Raises:
            Stopped: The worker is being ended, or nobody wants the result of the long task any more.
        """
        began = time.monotonic()
        self._lent_s = min(self._lent_s + began - self._step_began, _LENT_S)
        while (task := self._next_quick(began + self._lent_s)) is not None:
            self._run(task)
        self._lent_s -= time.monotonic() - began
        if self._is_stopping or self._running[-1].is_abandoned:
            raise Stopped
        self._step_began = time.monotonic()

    def begin_stop(self) -> None:
        """Take nothing more, and end what runs at its next step; returns at once."""
        self._is_stopping = True
        threading.Thread(target=self._drop_waiting, name="geoinv-stop").start()  # a signal handler must not wait

    def stop(self, timeout_s: float = 10.0) -> bool:
        """End the thread; returns whether it ended in time."""
        self.begin_stop()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _drop_waiting(self) -> None:
        with self._changed:
            dropped, self._heap = self._heap, []
            self._changed.notify_all()
        for _, _, task in dropped:
            if task.future.set_running_or_notify_cancel():
                task.future.set_exception(Stopped())

    def _work(self) -> None:
        while (task := self._next()) is not None:
            self._run(task)

    def _next(self) -> Task[Any] | None:
        with self._changed:
            while not self._heap and not self._is_stopping:
                self._changed.wait()
            return None if self._is_stopping else heapq.heappop(self._heap)[2]

    def _next_quick(self, until: float) -> Task[Any] | None:
        """The next quick task; None once none waits and none is to be expected, or when time is up."""
        with self._changed:
            while not self._is_stopping:
                now = time.monotonic()
                if self._heap and self._heap[0][0] is not Urgency.long:
                    return heapq.heappop(self._heap)[2] if now < until else None
                patience = min(until, self._quick_ended + _GAP_S) - now
                if patience <= 0.0:
                    return None
                self._changed.wait(patience)
        return None

    def _run(self, task: Task[Any]) -> None:
        if not task.future.set_running_or_notify_cancel():
            return
        self._running.append(task)
        if task.urgency is Urgency.long:
            self._step_began = time.monotonic()
        try:
            result = task.run()
        except BaseException as error:  # the thread outlives whatever a task raises; who waits for it hears of it
            task.future.set_exception(error)
        else:
            task.future.set_result(result)
        finally:
            self._running.pop()
            if task.urgency is not Urgency.long:
                self._quick_ended = time.monotonic()
