"""Photos a second that ``geoinv invert FOLDER --workers N`` does, and how that grows with the cores it is given."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ..cores import usable_cores
from ..images import write_image
from ..session import Session
from .fresh import environment_with_package
from .inverting import own_face

PHOTOS = 8
"""Photos of a run that are timed; the first of each worker, which waits for its weights, are done beside them."""

_COMMAND = """
import os, sys
from geoinv.cli.app import main
workers = int(sys.argv.pop(1))
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:workers])
main(["invert", *sys.argv[1:], "--no-turntable", "--device", "cpu", "--quiet", "--workers", str(workers)])
"""


def photos_per_second(workers: int) -> float:
    """Photos a second of so many workers on as many cores, after each has done its first.

    The photos show the generator's mean head, as none ship; alignment, files and all pictures but the turntable are in
    the time.

    Raises:
        CheckpointError: The weights of ``mini`` are missing.
    """
    face = own_face(Session.load(device="cpu"))
    with tempfile.TemporaryDirectory() as folder:
        photos, out = Path(folder) / "photos", Path(folder) / "out"
        for index in range(PHOTOS + workers):
            write_image(photos / f"{index}.png", face.image)
        command = [sys.executable, "-c", _COMMAND, str(workers), str(photos), "--out", str(out)]
        subprocess.run(command, env=environment_with_package(), stdout=subprocess.DEVNULL, check=True)
        return rate_of([path.stat().st_mtime for path in out.glob("*.geoinv")], workers)


def rate_of(finished_s: list[float], workers: int) -> float:
    """Photos a second, counted from when every worker may have done its first.

    Args:
        finished_s: Seconds at which each photo was done, in any order.
        workers: Number of workers.
    """
    times = sorted(finished_s)
    return (len(times) - workers) / max(times[-1] - times[workers - 1], 1e-6)


def growth(rate: Callable[[int], float] = photos_per_second) -> dict[int, float]:
    """Photos a second by the number of workers: one, and two where there are two cores."""
    return {workers: rate(workers) for workers in (1, 2) if workers <= usable_cores()}
