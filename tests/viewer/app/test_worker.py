"""The worker: quick tasks first, also between the steps of long ones, which always come to an end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from geoinv.viewer.app.worker import Busy, Stopped, Task, Urgency, Worker


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker(max_waiting=3)
    made.start()
    yield made
    assert made.stop(10.0)


def occupied(worker: Worker) -> threading.Event:
    """Let the worker be busy until the event is set."""
    begun, release = threading.Event(), threading.Event()
    worker.submit(Urgency.long, lambda: (begun.set(), release.wait(10)))
    assert begun.wait(10)
    return release


def test_it_gives_results_and_errors(worker: Worker) -> None:
    assert worker.submit(Urgency.long, lambda: 2 + 2).future.result(10) == 4
    with pytest.raises(ZeroDivisionError):
        worker.submit(Urgency.view, lambda: 1 // 0).future.result(10)
    assert worker.submit(Urgency.view, lambda: "still here").future.result(10) == "still here"


def test_the_urgent_comes_first_and_equals_in_their_order(worker: Worker) -> None:
    release = occupied(worker)
    done: list[str] = []
    tasks: list[Task[None]] = []
    for urgency, name in [
        (Urgency.long, "photo 1"),
        (Urgency.view, "view"),
        (Urgency.long, "photo 2"),
        (Urgency.draft, "draft"),
    ]:
        tasks.append(worker.submit(urgency, lambda name=name: done.append(name)))  # type: ignore[misc]
    release.set()
    for task in tasks:
        task.future.result(10)
    assert done == ["draft", "view", "photo 1", "photo 2"]


def test_quick_tasks_run_between_the_steps_of_a_long_one(worker: Worker) -> None:
    shown_at_step: list[int] = []
    begun, asked = threading.Event(), threading.Event()

    def long() -> None:
        begun.set()
        assert asked.wait(10)
        for step in range(3):
            time.sleep(0.02)
            current[0] = step
            worker.breathe()

    current = [-1]
    task = worker.submit(Urgency.long, long)
    assert begun.wait(10)
    draft = worker.submit(Urgency.draft, lambda: shown_at_step.append(current[0]))
    later = worker.submit(Urgency.long, lambda: shown_at_step.append(99))
    asked.set()
    task.future.result(10)
    draft.future.result(10)
    later.future.result(10)
    assert shown_at_step == [0, 99]  # after the first step; the other long task not before the first one's end


def test_a_long_task_ends_while_somebody_turns_a_head_without_rest(worker: Worker) -> None:
    steps, step_s = 10, 0.02
    is_over = threading.Event()
    drafts = 0

    def turn() -> None:
        nonlocal drafts
        while not is_over.is_set():
            worker.submit(Urgency.draft, lambda: time.sleep(0.01)).future.result(10)
            drafts += 1

    def long() -> None:
        for _ in range(steps):
            time.sleep(step_s)
            worker.breathe()

    turning = threading.Thread(target=turn)
    turning.start()
    began = time.monotonic()
    worker.submit(Urgency.long, long).future.result(20)
    took = time.monotonic() - began
    is_over.set()
    turning.join()
    assert drafts >= steps / 2  # it was shown meanwhile
    assert took < 20 * steps * step_s  # and did not stop the work


def test_what_nobody_wants_any_more_is_not_done(worker: Worker) -> None:
    release = occupied(worker)
    done: list[str] = []
    unwanted = worker.submit(Urgency.view, lambda: done.append("unwanted"))
    wanted = worker.submit(Urgency.view, lambda: done.append("wanted"))
    unwanted.abandon()
    release.set()
    wanted.future.result(10)
    assert done == ["wanted"]


def test_a_long_task_that_nobody_wants_ends_at_its_next_step(worker: Worker) -> None:
    begun, abandoned = threading.Event(), threading.Event()

    def long() -> None:
        begun.set()
        abandoned.wait(10)
        worker.breathe()

    task = worker.submit(Urgency.long, long)
    assert begun.wait(10)
    task.abandon()
    abandoned.set()
    with pytest.raises(Stopped):
        task.future.result(10)


def test_too_much_is_refused(worker: Worker) -> None:
    release = occupied(worker)
    waiting = [worker.submit(Urgency.view, lambda: None) for _ in range(3)]
    with pytest.raises(Busy):
        worker.submit(Urgency.view, lambda: None)
    last = worker.submit(Urgency.long, lambda: None)  # of another kind
    release.set()
    for task in [*waiting, last]:
        task.future.result(10)


def test_its_end_stops_what_runs_and_what_waits() -> None:
    worker = Worker()
    worker.start()
    begun = threading.Event()

    def long() -> None:
        begun.set()
        while True:
            time.sleep(0.01)
            worker.breathe()

    running, waiting = worker.submit(Urgency.long, long), worker.submit(Urgency.long, lambda: None)
    assert begun.wait(10)
    assert worker.stop(10.0)
    for task in (running, waiting):
        with pytest.raises(Stopped):
            task.future.result(10)
    with pytest.raises(Stopped):
        worker.submit(Urgency.view, lambda: None)
