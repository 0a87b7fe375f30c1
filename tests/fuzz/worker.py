"""A process that reads damaged files: ``python -m tests.fuzz.worker KIND,KIND SEED COUNT`` prints JSON.

What a damaged file can do at worst, kill the process or fill its memory, must not end the test run; so files are read
here, under a limit of memory. A case that takes too long, of the processor's time or by the clock, ends by an alarm.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from geoinv.errors import GeoinvError

from .kinds import kinds
from .mutations import mutated

MAX_SECONDS = 10  # of work
MAX_WAITING_S = 300  # by the clock: on a busy machine most of it is other programs' time
MAX_EXTRA_BYTES = 3 << 30  # beyond what the process has when it starts: a photo of 200 megapixels takes half of it


class TooSlow(BaseException):
    """A case that does not end; no reader may catch it."""


def run(kind_name: str, seed: int, count: int, folder: Path) -> dict[str, Any]:
    """Read ``count`` damaged files; counts of results and errors, and what went wrong."""
    kind = kinds()[kind_name]
    originals = kind.originals(folder)
    whole = folder / f"whole{kind.suffix}"
    for original in originals:  # what is not damaged is read: else the run would test nothing
        whole.write_bytes(original)
        kind.read(whole)
    _limit_memory()
    signal.signal(signal.SIGALRM, _stop)
    signal.signal(signal.SIGPROF, _stop)
    tally: dict[str, Any] = {"read": 0, "refused": 0, "slowest_s": 0.0, "failures": []}
    tally["is_forgiving"] = kind.is_forgiving
    place = folder / "cases"
    place.mkdir()
    path = place / f"case{kind.suffix}"
    for case in range(seed, seed + count):
        print(kind_name, case, file=sys.stderr, flush=True)  # the last one is known if the process dies
        rng = random.Random(f"{kind_name} {case}")
        path.write_bytes(mutated(rng.choice(originals), rng))
        started = time.process_time()
        _set_alarms(MAX_SECONDS, MAX_WAITING_S)
        try:
            kind.read(path)
            tally["read"] += 1
        except GeoinvError as error:
            tally["refused"] += 1
            if "\n" in str(error) or not str(error):
                tally["failures"].append({"case": case, "trace": f"not one line: {error!r}"})
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            tally["failures"].append({"case": case, "trace": "".join(traceback.format_exception(error)[-4:])})
        finally:
            _set_alarms(0, 0)
        tally["slowest_s"] = max(tally["slowest_s"], round(time.process_time() - started, 3))
        for left in place.iterdir():
            if left != path and left.name != "converted.safetensors":
                tally["failures"].append({"case": case, "trace": f"left behind: {left.name}"})
            left.unlink()
    return tally


def _set_alarms(work_s: int, clock_s: int) -> None:
    signal.setitimer(signal.ITIMER_PROF, work_s)
    signal.alarm(clock_s)


def _stop(*_: object) -> None:
    raise TooSlow


def _limit_memory() -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MAX_EXTRA_BYTES, resource.RLIM_INFINITY))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        asked = {kind: Path(name) / kind for kind in sys.argv[1].split(",")}
        for made in asked.values():
            made.mkdir()
        found, environment = {}, dict(os.environ)
        for kind, made in asked.items():
            found[kind] = run(kind, int(sys.argv[2]), int(sys.argv[3]), made)
            os.environ.clear()  # of which a kind may have changed something
            os.environ.update(environment)
        print(json.dumps(found))
