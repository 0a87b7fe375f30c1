"""Workers as processes of this machine, each with weights of its own and its part of the cores."""

from __future__ import annotations

import signal
import traceback
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from ..cores import usable_cores
from ..errors import GeoinvError
from . import console
from .photo_files import PhotoFile
from .photo_worker import Job, Outcome, PhotoWorker


class LocalCrew:
    """Processes that are started at once and load weights with their first photo.

    Args:
        job: What to do; it is sent to the processes.
        size: Number of processes.
        overwrite: Whether what was done before is done again.
    """

    def __init__(self, job: Job[Any], size: int, *, overwrite: bool) -> None:
        self._job, self._overwrite = job, overwrite
        self._threads = max(usable_cores() // size, 1)
        self._workers = [self._started() for _ in range(size)]
        self._busy: list[int] = []

    @property
    def size(self) -> int:
        """Number of processes."""
        return len(self._workers)

    def give(self, worker: int, photo: PhotoFile) -> None:
        """Let an idle process begin with a photo."""
        self._busy.append(worker)
        with suppress(OSError):  # it died while it was idle, which wait() finds
            self._workers[worker][1].send(photo)

    def wait(self) -> tuple[int, Outcome | None]:
        """Wait for any process; see :class:`~geoinv.cli.crew.Crew`."""
        connections = [self._workers[worker][1] for worker in self._busy]
        ready = wait(connections)[0]
        worker = self._busy.pop(connections.index(ready))  # type: ignore[arg-type]  # wait() takes sockets as well
        try:
            answer = self._workers[worker][1].recv()
        except (EOFError, OSError):
            return worker, None
        if isinstance(answer, GeoinvError):
            raise answer
        if isinstance(answer, str):
            raise RuntimeError(f"a worker failed:\n{answer}")
        return worker, answer

    def replace(self, worker: int) -> bool:
        """Start a new process in the place of one that died."""
        self._end(worker)
        self._workers[worker] = self._started()
        return True

    def close(self) -> None:
        """End all processes."""
        for worker in range(self.size):
            self._end(worker)

    def _started(self) -> tuple[BaseProcess, Connection]:
        context = get_context("spawn")  # a fork would copy locks of PyTorch's threads
        ours, theirs = context.Pipe()
        process = context.Process(
            target=serve, args=(theirs, self._job, self._overwrite, self._threads), name="geoinv worker", daemon=True
        )
        process.start()
        theirs.close()  # so that its end is seen when the process dies
        return process, ours

    def _end(self, worker: int) -> None:
        process, connection = self._workers[worker]
        connection.close()
        process.terminate()
        process.join()


def serve(connection: Connection, job: Job[Any], overwrite: bool, threads: int) -> None:
    """Do the photos that come through a connection, until it is closed."""
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the first process, which ends this one
    torch.set_num_threads(threads)
    console.make_streams_safe()
    worker = PhotoWorker(job, overwrite=overwrite)
    while True:
        try:
            photo: PhotoFile = connection.recv()
        except (EOFError, OSError):
            return
        answer: Outcome | GeoinvError | str
        try:
            answer = worker.do(photo)
        except GeoinvError as error:
            answer = error
        except Exception:
            answer = traceback.format_exc()
        try:
            connection.send(answer)
        except OSError:
            return
