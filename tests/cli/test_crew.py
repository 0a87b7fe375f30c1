"""Workers beside this process: every photo is done once, also when workers die."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import pytest

from geoinv.cli.crew import MAX_DEATHS, outcomes_of
from geoinv.cli.photo_files import PhotoFile
from geoinv.cli.photo_worker import Outcome
from geoinv.errors import CheckpointError, GeoinvError

PHOTOS = [PhotoFile(Path(f"{index}.jpg"), str(index), str(index)) for index in range(7)]


class ToyCrew:
    """Workers that are done in the order of their photos; ``deaths`` says how often a photo kills its worker."""

    def __init__(self, size: int, deaths: dict[str, int] | None = None, fatal: str | None = None) -> None:
        self.size, self.deaths, self.fatal = size, dict(deaths or {}), fatal
        self.given: deque[tuple[int, PhotoFile]] = deque()
        self.log: list[str] = []
        self.has_room = True
        self.most_at_once = 0

    def give(self, worker: int, photo: PhotoFile) -> None:
        assert worker not in [other for other, _ in self.given], "a busy worker got a photo"
        self.given.append((worker, photo))
        self.most_at_once = max(self.most_at_once, len(self.given))

    def wait(self) -> tuple[int, Outcome | None]:
        worker, photo = self.given.popleft()
        if photo.stem == self.fatal:
            raise CheckpointError("no weights")
        if self.deaths.get(photo.stem, 0) > 0:
            self.deaths[photo.stem] -= 1
            return worker, None
        return worker, Outcome(sha256=photo.stem)

    def replace(self, worker: int) -> bool:
        self.log.append(f"replaced {worker}")
        return self.has_room

    def close(self) -> None:
        self.log.append("closed")


@pytest.mark.parametrize("size", [1, 2, 7, 9])
def test_every_photo_once(size: int) -> None:
    crew = ToyCrew(size)
    done = [(photo.stem, outcome.sha256) for photo, outcome in outcomes_of(crew, PHOTOS)]
    assert sorted(done) == [(photo.stem, photo.stem) for photo in PHOTOS]
    assert crew.most_at_once == min(size, len(PHOTOS))
    assert crew.log == ["closed"]


def test_a_photo_outlives_its_worker() -> None:
    crew = ToyCrew(2, {"3": MAX_DEATHS - 1})
    outcomes = {photo.stem: outcome for photo, outcome in outcomes_of(crew, PHOTOS)}
    assert all(outcome.failure is None for outcome in outcomes.values())
    assert len(outcomes) == len(PHOTOS)
    assert [line for line in crew.log if line.startswith("replaced")] == [crew.log[0]]


def test_a_photo_that_kills_every_worker_fails_alone() -> None:
    outcomes = {photo.stem: outcome for photo, outcome in outcomes_of(ToyCrew(2, {"3": 99}), PHOTOS)}
    assert [stem for stem, outcome in outcomes.items() if outcome.failure] == ["3"]
    assert "workers ended" in str(outcomes["3"].failure)
    assert len(outcomes) == len(PHOTOS)


def test_the_others_go_on_where_there_is_no_room_for_a_new_worker() -> None:
    crew = ToyCrew(2, {"3": 1})
    crew.has_room = False
    assert sorted(photo.stem for photo, _ in outcomes_of(crew, PHOTOS)) == [photo.stem for photo in PHOTOS]


def test_no_workers_are_left() -> None:
    crew = ToyCrew(2, {"0": 1, "1": 1})
    crew.has_room = False
    with pytest.raises(GeoinvError, match="all workers ended"):
        list(outcomes_of(crew, PHOTOS))
    assert crew.log[-1] == "closed"


def test_an_error_of_the_run_ends_it_and_closes_the_crew() -> None:
    crew = ToyCrew(2, fatal="2")
    with pytest.raises(CheckpointError):
        list(outcomes_of(crew, PHOTOS))
    assert crew.log == ["closed"]
