"""Reduced precision for convolutions where the processor computes in it natively."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path

import torch

from ..notices import notify

_enabled = False


@lru_cache(maxsize=1)
def cpu_has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware (AVX512-BF16, AMX); elsewhere it would be slower."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


@contextmanager
def allow_bfloat16() -> Iterator[None]:
    """Let backbones compute in bfloat16 meanwhile, where the CPU has it; also a decorator.

    For training only, where it is two to three times the speed and its noise far below that of the gradient: results
    should not depend on the CPU.
    """
    global _enabled
    if not cpu_has_bfloat16():
        notify("this processor has no bfloat16: on it, training computes in float32, two to three times as slow")
    before, _enabled = _enabled, cpu_has_bfloat16()
    try:
        yield
    finally:
        _enabled = before


def fast_precision(device: torch.device) -> AbstractContextManager[object]:
    """Autocast to bfloat16 where allowed, otherwise nothing."""
    if _enabled and device.type == "cpu":
        return torch.autocast("cpu", dtype=torch.bfloat16)
    return nullcontext()
