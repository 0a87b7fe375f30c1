"""Photos that were given to the app: where each one stands, and the folder of its results.

A job's name is a random number that nobody guesses, so that on a shared machine nobody finds another's head, and no
name of a user's file ever becomes a path.
"""

from __future__ import annotations

import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ...errors import GeoinvError

HEAD_FILE = "head.geoinv"
PHOTO_FILE = "photo"

_NAME = re.compile(r"[0-9a-f]{32}")


class State(str, Enum):
    """Where a job stands."""

    waiting = "waiting"
    working = "working"
    done = "done"
    failed = "failed"


class NoSuchJob(GeoinvError):
    """A job that is not there, or not any more."""

    def __init__(self) -> None:
        super().__init__("no such photo here, or not any more", "upload it again")


@dataclass(eq=False)
class Job:
    """One photo on its way to a head.

    Args:
        name: 32 hexadecimal digits.
        folder: Folder of its files.
        state: Where it stands.
        stage: What is being done, for people; empty where nothing is.
        progress: Fraction that is done, 0 to 1.
        message: Why it failed.
        hint: What to do about it.
        warnings: What speaks against a good result, a line each.
        metrics: Metrics of the inversion, by name.
        making: Fraction that is done of each result that is being made, by its name.
        used_at: Time of the last use, in seconds since 1970.
        is_removed: Whether it is gone: nothing more may be written.
    """

    name: str
    folder: Path
    state: State = State.waiting
    stage: str = ""
    progress: float = 0.0
    message: str = ""
    hint: str = ""
    warnings: tuple[str, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    making: dict[str, float] = field(default_factory=dict)
    used_at: float = field(default_factory=time.time)
    is_removed: bool = False

    @property
    def photo(self) -> Path:
        """The photo as it was sent."""
        return self.folder / PHOTO_FILE

    @property
    def head(self) -> Path:
        """The inversion."""
        return self.folder / HEAD_FILE

    def fail(self, error: GeoinvError) -> None:
        """End the job with a reason for people."""
        self.state, self.stage = State.failed, ""
        self.message, self.hint = error.message, error.hint or ""


class Jobs:
    """All jobs, in the order in which they came.

    Args:
        folder: Folder of their folders.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._jobs: dict[str, Job] = {}

    def __iter__(self) -> Iterator[Job]:
        return iter(list(self._jobs.values()))

    def __len__(self) -> int:
        return len(self._jobs)

    def new(self) -> Job:
        """A job with a folder, which :meth:`add` makes known once its photo is there.

        Raises:
            OSError: The folder cannot be made.
        """
        name = secrets.token_hex(16)
        folder = self.folder / name
        folder.mkdir(parents=True)
        return Job(name, folder)

    def add(self, job: Job) -> None:
        """Make a job known."""
        self._jobs[job.name] = job

    def get(self, name: str) -> Job:
        """The job of a name, which counts as used now.

        Raises:
            NoSuchJob: There is none.
        """
        job = self._jobs.get(name)
        if job is None:
            raise NoSuchJob
        job.used_at = time.time()
        return job

    def position(self, job: Job) -> int:
        """How many photos come before this one, itself included; 0 where it does not wait."""
        if job.state is not State.waiting:
            return 0
        unfinished = [other for other in self if other.state in (State.waiting, State.working)]
        return unfinished.index(job) + 1 if job in unfinished else 0

    @property
    def waiting(self) -> int:
        """Number of jobs that wait."""
        return sum(job.state is State.waiting for job in self)

    def forget(self, job: Job) -> None:
        """Take a job out, so that nobody finds it; its folder is for :func:`remove_folder`."""
        job.is_removed = True
        self._jobs.pop(job.name, None)

    def expired(self, *, keep_s: float, max_kept: int) -> list[Job]:
        """Finished jobs that were not used for longer than ``keep_s``, and the longest unused beyond ``max_kept``."""
        finished = sorted((job for job in self if job.state in (State.done, State.failed)), key=lambda job: job.used_at)
        oldest_kept = time.time() - keep_s
        surplus = max(len(finished) - max_kept, 0)
        return [job for index, job in enumerate(finished) if index < surplus or job.used_at < oldest_kept]

    def restore(self, *, keep_s: float) -> None:
        """Take up the finished jobs of an earlier run, and remove what it left unfinished or is too old."""
        for folder in self._folders():
            head = folder / HEAD_FILE
            if not head.is_file() or (used_at := head.stat().st_mtime) < time.time() - keep_s:
                remove_folder(folder)
                continue
            self.add(Job(folder.name, folder, State.done, progress=1.0, used_at=used_at))

    def remove_unfinished(self) -> None:
        """Remove the folders of jobs that hold no head; for the end of a run."""
        for folder in self._folders():
            if not (folder / HEAD_FILE).is_file():
                remove_folder(folder)

    def _folders(self) -> Iterable[Path]:
        """Folders that are jobs by their names; nothing else in the folder is touched."""
        if not self.folder.is_dir():
            return []
        named = [path for path in self.folder.iterdir() if _NAME.fullmatch(path.name)]
        return [path for path in named if path.is_dir() and not path.is_symlink()]


def remove_folder(folder: Path) -> None:
    """Remove the folder of a job and all that is in it."""
    shutil.rmtree(folder, ignore_errors=True)
