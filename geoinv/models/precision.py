"""Reduced precision for convolutions where the processor computes in it natively."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from pathlib import Path

import torch

_enabled = False


@lru_cache(maxsize=1)
def cpu_has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware (AVX512-BF16, AMX); elsewhere it would be slower."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def allow_bfloat16(allowed: bool) -> None:
    """Let backbones compute in bfloat16 from here on; off by default, because results should not depend on the CPU.

    Training turns it on: two to three times the speed, and noise far below that of the gradient.
    """
    global _enabled
    _enabled = allowed and cpu_has_bfloat16()


def fast_precision(device: torch.device) -> AbstractContextManager[object]:
    """Autocast to bfloat16 where allowed, otherwise nothing."""
    if _enabled and device.type == "cpu":
        return torch.autocast("cpu", dtype=torch.bfloat16)
    return nullcontext()
