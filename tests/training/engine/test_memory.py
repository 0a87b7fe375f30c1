"""Freed memory is kept: the same pages serve again."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_FAULTS = """
import resource, sys, torch
from geoinv.training.engine.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def step():
    return sum(float((torch.ones(16_000_000) + i)[0]) for i in range(8))
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_a_second_step_touches_no_new_pages() -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_TUNABLES"))}

    def faults(setting: str) -> int:
        command = [sys.executable, "-c", _FAULTS, setting]
        return int(subprocess.run(command, capture_output=True, check=True, env=own).stdout)

    # the fewest of three: a kernel that is short of memory takes pages away in between, and they are touched anew
    assert min(faults("keep") for _ in range(3)) < 100
    assert faults("default") > 10_000
