"""Damaged files of every kind that geoinv reads: a result, or one line; never a traceback, a hang, or a half file."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from .kept_kinds import KEPT_KINDS
from .kinds import IMAGE_KINDS, OTHER_KINDS, SHIPPED_KINDS

CASES = int(os.environ.get("GEOINV_FUZZ_CASES", "850"))  # of each kind: 12 kinds of pictures make 10,200
SEED = int(os.environ.get("GEOINV_FUZZ_SEED", "0"))
KINDS = (*IMAGE_KINDS, *OTHER_KINDS, *SHIPPED_KINDS, *KEPT_KINDS)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")


def _run(kind: str, seed: int, count: int) -> None:
    command = [sys.executable, "-m", "tests.fuzz.worker", kind, str(seed), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600 + 12 * count)
    last = done.stderr.strip().splitlines()[-1:]
    assert done.returncode == 0, f"{kind}: the process died (status {done.returncode}) at case {last}"
    tally = json.loads(done.stdout)
    assert tally["failures"] == []
    assert tally["read"] + tally["refused"] == count
    if count >= 100 and not tally["is_forgiving"]:
        assert tally["refused"] > 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_damaged_files(kind: str) -> None:
    _run(kind, 1_000_000, 3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files(kind: str) -> None:
    _run(kind, SEED, CASES)
