"""Damaged files of every kind that geoinv reads: a result, or one line; never a traceback, a hang, or a half file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

from .kept_kinds import KEPT_KINDS
from .kinds import IMAGE_KINDS, OTHER_KINDS, SHIPPED_KINDS
from .video_kinds import VIDEO_KINDS

CASES = int(os.environ.get("GEOINV_FUZZ_CASES", "850"))  # of each kind: 12 kinds of pictures make 10,200
SEED = int(os.environ.get("GEOINV_FUZZ_SEED", "0"))
KINDS = (*IMAGE_KINDS, *OTHER_KINDS, *SHIPPED_KINDS, *KEPT_KINDS, *VIDEO_KINDS)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")


def _run(kinds: Sequence[str], seed: int, count: int) -> None:
    command = [sys.executable, "-m", "tests.fuzz.worker", ",".join(kinds), str(seed), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600 + 12 * count * len(kinds))
    last = done.stderr.strip().splitlines()[-1:]
    assert done.returncode == 0, f"the process died (status {done.returncode}) at case {last}"
    for kind, tally in json.loads(done.stdout).items():
        assert tally["failures"] == [], kind
        assert tally["read"] + tally["refused"] == count, kind
        if count >= 80 and not tally["is_forgiving"]:
            assert tally["refused"] > 0, kind


@pytest.mark.parametrize("kinds", [IMAGE_KINDS, OTHER_KINDS, (*SHIPPED_KINDS, *KEPT_KINDS), VIDEO_KINDS[:1]])
def test_a_few_damaged_files(kinds: tuple[str, ...]) -> None:
    _run(kinds, 1_000_000, 3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files(kind: str) -> None:
    # ffmpeg is started twice for a video
    _run([kind], SEED, max(CASES // 10, 1) if kind in VIDEO_KINDS else CASES)
