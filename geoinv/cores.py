"""Cores of the machine."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Cores that this process may use: a job array or a container may give it fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
