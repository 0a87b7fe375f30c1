"""Timing of one job under both backends: alternating, medians, with the work that it takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from ..ops._build import use_backend


@dataclass(frozen=True)
class Job:
    """Something to measure.

    Args:
        name: Name in the JSON keys, as in ``<name>_ratio``.
        label: For people.
        run: The work, the same under any backend.
        rounds: Number of times that each side is timed.
    """

    name: str
    label: str
    run: Callable[[], object]
    rounds: int


@dataclass(frozen=True)
class Comparison:
    """Measurements of a job.

    Args:
        job_name: Name of the :class:`Job`.
        label: For people.
        reference_s: Median seconds of the reference.
        native_s: Median seconds of the native backend.
        gflop: Floating-point work of the reference's matrix products and convolutions.
    """

    job_name: str
    label: str
    reference_s: float
    native_s: float
    gflop: float

    @property
    def ratio(self) -> float:
        """Speed, relative to the reference's."""
        return self.reference_s / self.native_s

    @property
    def gflops(self) -> float:
        """The reference's work by the native time: fewer operations for the same result count as speed."""
        return self.gflop / self.native_s


def compare(job: Job) -> Comparison:
    """Run both sides once unmeasured, then in turn."""
    with use_backend("reference"), FlopCounterMode(display=False) as counter:
        job.run()
    with use_backend("native"):
        job.run()
    reference, native = [], []
    for _ in range(job.rounds):
        with use_backend("reference"):
            reference.append(seconds_of(job.run))
        with use_backend("native"):
            native.append(seconds_of(job.run))
    gflop = counter.get_total_flops() / 1e9
    return Comparison(job.name, job.label, statistics.median(reference), statistics.median(native), gflop)


def seconds_of(run: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def matrix_product_gflops(side: int = 1536, rounds: int = 5) -> float:
    """The best rate of a float32 matrix product: torch's, or as a 1 x 1 convolution, which has other kernels."""
    left, right = torch.randn(side, side), torch.randn(side, side)
    maps = left.T.reshape(1, side, side, 1).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        products = (lambda: left @ right, lambda: torch.nn.functional.conv2d(maps, right[:, :, None, None]))
        best = min(seconds_of(product) for _ in range(rounds) for product in products)
    return 2.0 * side**3 / best / 1e9
