"""Workers that do photos beside this process: each gets one photo at a time, and no photo is lost with its worker."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from ..errors import GeoinvError
from .photo_files import PhotoFile
from .photo_worker import Outcome

MAX_DEATHS = 2
"""Workers that may die of one photo before it counts as failed: one may have been killed for its memory."""


class Crew(Protocol):
    """Workers, numbered from 0."""

    @property
    def size(self) -> int:
        """Number of workers."""

    def give(self, worker: int, photo: PhotoFile) -> None:
        """Let an idle worker begin with a photo."""

    def wait(self) -> tuple[int, Outcome | None]:
        """Wait for any worker; returns which one, and the outcome of its photo, or None if the worker died.

        Raises:
            GeoinvError: An error that ends the run, such as missing weights.
        """

    def replace(self, worker: int) -> bool:
        """Start a new worker in the place of one that died; whether there is room for one."""

    def close(self) -> None:
        """End all workers, also busy ones."""


def outcomes_of(crew: Crew, photos: Sequence[PhotoFile]) -> Iterator[tuple[PhotoFile, Outcome]]:
    """Let a crew do photos; yields each photo once, as they are done, and closes the crew."""
    waiting, deaths = deque(photos), Counter[Path]()
    idle, busy = list(range(crew.size)), dict[int, PhotoFile]()
    try:
        while waiting or busy:
            while idle and waiting:
                worker, photo = idle.pop(), waiting.popleft()
                busy[worker] = photo
                crew.give(worker, photo)
            worker, outcome = crew.wait()
            photo = busy.pop(worker)
            if outcome is not None or crew.replace(worker):
                idle.append(worker)
            if outcome is not None:
                yield photo, outcome
                continue
            deaths[photo.path] += 1
            if deaths[photo.path] < MAX_DEATHS:
                waiting.appendleft(photo)
            else:
                yield photo, _lost(photo)
            if waiting and not (idle or busy):
                raise GeoinvError(
                    "all workers ended, and there is no room for new ones", "run again: done ones are kept"
                )
    finally:
        crew.close()


def _lost(photo: PhotoFile) -> Outcome:
    return Outcome(
        failure={
            "photo": str(photo.path),
            "error": f"{photo.path}: {MAX_DEATHS} workers ended while they did it",
            "hint": "there may be too little memory: fewer --workers, or this photo alone",
            "exit_code": 1,
        }
    )
