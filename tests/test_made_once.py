"""Properties that several threads ask for at once are made once."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from geoinv.made_once import made_once


class Models:
    def __init__(self) -> None:
        self.loads = 0

    @made_once
    def model(self) -> object:
        time.sleep(0.05)
        self.loads += 1
        return object()


def test_threads_share_what_was_made() -> None:
    models, start = Models(), threading.Barrier(4)

    def ask(_: int) -> object:
        start.wait()
        return models.model

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(ask, range(4)))
    assert models.loads == 1 and len(set(map(id, found))) == 1


def test_each_instance_has_its_own() -> None:
    assert Models().model is not Models().model
