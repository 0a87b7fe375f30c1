"""Damaged files of every kind in turn for as long as one wants: ``python -m tests.fuzz.for_minutes 60 --seed 7``.

Prints one JSON object: for each kind how many files gave a result, how many were refused, and what failed. Seeds of a
kind go up from ``--seed`` by as many as are read in a turn, so that a run can be told by two numbers.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .kinds import kinds
from .video_kinds import VIDEO_KINDS

CHUNK = 850
VIDEO_CHUNK = 85  # ffmpeg is started twice for each


def main() -> None:
    """Run until the minutes are over, at least once through all kinds; keep the tally on the disk after each kind."""
    parser = argparse.ArgumentParser()
    parser.add_argument("minutes", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", help="By default all of them.")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    names = asked.kind or list(kinds())
    started, seed = time.monotonic(), asked.seed
    tally: dict[str, Any] = {"first_seed": seed, "kinds": {name: _nothing() for name in names}}
    while (time.monotonic() - started) / 60.0 < asked.minutes or seed == asked.seed:
        for name in names:
            _add(tally["kinds"][name], name, seed)
            tally["minutes"] = round((time.monotonic() - started) / 60.0, 1)
            if asked.out is not None:
                asked.out.write_text(json.dumps(tally, indent=1))
        seed += CHUNK
        tally["last_seed"] = seed - 1
    print(json.dumps(tally))


def _nothing() -> dict[str, Any]:
    return {"read": 0, "refused": 0, "slowest_s": 0.0, "failures": []}


def _add(total: dict[str, Any], kind: str, seed: int) -> None:
    count = VIDEO_CHUNK if kind in VIDEO_KINDS else CHUNK
    command = [sys.executable, "-m", "tests.fuzz.worker", kind, str(seed), str(count)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        total["failures"].append({"case": done.stderr.strip().splitlines()[-1:], "trace": f"died: {done.returncode}"})
        return
    tally = json.loads(done.stdout)[kind]
    total["read"] += tally["read"]
    total["refused"] += tally["refused"]
    total["slowest_s"] = max(total["slowest_s"], tally["slowest_s"])
    total["failures"] += tally["failures"]


if __name__ == "__main__":
    main()
