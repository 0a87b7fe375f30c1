"""The whole comparison, as `geoinv bench` reports it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from ..checkpoints.store import load_anchored_generator
from ..models.generator import TriPlaneGenerator
from ..ops._build import use_backend
from ..progress import Say
from .anchored_jobs import anchored_jobs
from .fresh import build_seconds, peak_mib
from .inverting import invert_job
from .jobs import VIEWS, eight_views, large_config, picture_jobs
from .many_photos import growth
from .timing import Comparison, Job, compare, matrix_product_gflops, seconds_of

SIDE = 128
"""Rays of ``mini`` along a side: the reference takes seconds for so many."""


@dataclass(frozen=True)
class BenchReport:
    """Measurements of all jobs.

    Args:
        comparisons: One a job.
        matrix_gflops: Best rate of a float32 matrix product here.
        build_s: Seconds to compile every native operation into an empty cache.
        peak_mib_view512: Peak resident memory of a 512 px view above the loaded program.
        peak_mib_view512_reference: The same by the reference.
        threads: Number of torch's threads.
        photos_per_s: Photos a second that `geoinv invert` does of many, by the number of workers and cores.
    """

    comparisons: list[Comparison]
    matrix_gflops: float
    build_s: float
    peak_mib_view512: float
    peak_mib_view512_reference: float
    threads: int
    photos_per_s: dict[int, float]

    def figures(self) -> dict[str, float]:
        """Flat figures for JSON."""
        figures = {f"{c.job_name}_ratio": c.ratio for c in self.comparisons}
        for c in self.comparisons:
            figures[f"{c.job_name}_reference_s"] = c.reference_s
            figures[f"{c.job_name}_native_s"] = c.native_s
            figures[f"{c.job_name}_gflops"] = c.gflops
        figures["build_s"] = self.build_s
        figures["peak_mib_view512"] = self.peak_mib_view512
        figures["peak_mib_view512_reference"] = self.peak_mib_view512_reference
        figures["matrix_gflops"] = self.matrix_gflops
        figures["threads"] = self.threads
        for workers, rate in self.photos_per_s.items():
            figures[f"photos_per_s_{workers}"] = rate
        return {name: float(f"{value:.4g}") for name, value in figures.items()}


def run_bench(say: Say) -> BenchReport:
    """Measure everything; some minutes on two cores.

    Args:
        say: Called with what is measured next.

    Raises:
        NativeBuildError: The native operations cannot be built here.
        CheckpointError: The weights of ``mini`` are missing.
    """
    say("compiling into an empty cache")
    build_s = build_seconds()
    say("memory of a view")
    peaks = {backend: peak_mib(backend) for backend in ("native", "reference")}
    rate = matrix_product_gflops()
    comparisons = list(_comparisons(say))
    say("many photos, by one worker and by two")
    return BenchReport(
        comparisons, rate, build_s, peaks["native"], peaks["reference"], torch.get_num_threads(), growth()
    )


def _comparisons(say: Say) -> Iterator[Comparison]:
    torch.manual_seed(0)
    large = TriPlaneGenerator(large_config()).eval().requires_grad_(False)
    done: dict[str, Comparison] = {}
    for job in picture_jobs(large, rounds=3):
        done[job.name] = _compare(job, say)
        yield done[job.name]
    yield _eight_views("views8", large.config.name, eight_views(large), done["view512"], say)
    yield _compare(invert_job(rounds=3), say)
    mini, _ = load_anchored_generator("mini")
    for job in anchored_jobs(mini, SIDE, rounds=3):
        done[job.name] = _compare(job, say)
        yield done[job.name]
    yield _eight_views("mini_views8", "mini", eight_views(mini, SIDE), done["mini_view"], say)


def _eight_views(name: str, title: str, run: Callable[[], object], view: Comparison, say: Say) -> Comparison:
    """Eight views of a head against eight separate reference views, of which ``view`` is one."""
    label = f"{title}: {VIEWS} views of a head"
    say(label)
    with use_backend("native"):
        native_s = statistics.median(seconds_of(run) for _ in range(3))
    # eight times one view is what eight are, and they would take minutes to time
    return Comparison(name, label, VIEWS * view.reference_s, native_s, VIEWS * view.gflop)


def _compare(job: Job, say: Say) -> Comparison:
    say(job.label)
    return compare(job)
