"""Reference against native, on this machine: each operation and whole jobs."""

from .run import BenchReport, run_bench
from .timing import Comparison

__all__ = ["BenchReport", "Comparison", "run_bench"]
