"""What only a fresh process can tell: how long the build takes, and the peak memory of one view.

Run as ``python -m geoinv.bench.fresh build|native|reference``; prints one number.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def build_seconds() -> float:
    """Seconds to compile every native operation into an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        return _measure("build", GEOINV_CACHE=cache)


def peak_mib(backend: str) -> float:
    """Peak resident memory (MiB) of a 512 px view, weights included, above a process that has imported geoinv."""
    return _measure(backend, GEOINV_BACKEND=backend)


def _measure(what: str, **environment: str) -> float:
    command = [sys.executable, "-m", "geoinv.bench.fresh", what]
    package = str(Path(__file__).parents[2])
    path = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path, **environment}, stdout=subprocess.PIPE, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def _build() -> float:
    from ..ops._build import build_all

    start = time.perf_counter()
    build_all()
    return time.perf_counter() - start


def _peak() -> float:
    import torch

    from ..models.generator import TriPlaneGenerator
    from .jobs import random_w_plus, view_of
    from .run import large_config

    torch.ones(256, 256) @ torch.ones(256, 256)  # starts torch's threads
    before = _peak_kib()
    torch.manual_seed(0)
    generator = TriPlaneGenerator(large_config()).eval().requires_grad_(False)
    view_of(generator, random_w_plus(generator))()
    return (_peak_kib() - before) / 1024.0


def _peak_kib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024.0 if sys.platform == "darwin" else float(peak)


if __name__ == "__main__":
    print(_build() if sys.argv[1] == "build" else _peak())
