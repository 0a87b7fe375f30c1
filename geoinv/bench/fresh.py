"""Measurements that need a fresh process: the seconds of the build, and the peak memory of one view.

The process prints one number.
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
        return _measure("build_here", GEOINV_CACHE=cache)


def peak_mib(backend: str) -> float:
    """Peak resident memory (MiB) of a 512 px view, weights included, above a process that has imported geoinv."""
    return _measure("peak_here", GEOINV_BACKEND=backend)


def _measure(function: str, **environment: str) -> float:
    command = [sys.executable, "-c", f"from geoinv.bench import fresh; print(fresh.{function}())"]
    done = subprocess.run(
        command, env={**environment_with_package(), **environment}, stdout=subprocess.PIPE, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def environment_with_package() -> dict[str, str]:
    """This process's environment, in which Python finds this same geoinv."""
    package = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])}


def build_here() -> float:
    """Build, in the process that :func:`build_seconds` starts; returns the seconds."""
    from ..ops._build import build_all

    start = time.perf_counter()
    build_all()
    return time.perf_counter() - start


def peak_here() -> float:
    """Render, in the process that :func:`peak_mib` starts; returns the MiB."""
    import torch

    from ..models.generator import TriPlaneGenerator
    from .jobs import large_config, random_w_plus, view_of

    torch.ones(256, 256) @ torch.ones(256, 256)  # starts torch's threads
    before = _peak_kib()
    torch.manual_seed(0)
    generator = TriPlaneGenerator(large_config()).eval().requires_grad_(False)
    view_of(generator, random_w_plus(generator))()
    return (_peak_kib() - before) / 1024.0


def _peak_kib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024.0 if sys.platform == "darwin" else float(peak)
