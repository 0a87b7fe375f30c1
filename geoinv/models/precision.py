"""Reduced precision for convolutions where the processor computes in it natively."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path

import torch

from ..notices import notify

_enabled = False
_CPU = torch.device("cpu")


@lru_cache(maxsize=1)
def cpu_has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware (AVX512-BF16, AMX); elsewhere it would be slower."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


@contextmanager
def allow_bfloat16(device: torch.device = _CPU) -> Iterator[None]:
    """Let networks compute in bfloat16 meanwhile, where CPU or GPU has it; also a decorator.

    For training only, where it is two to three times the speed and its noise far below that of the gradient: results
    should not depend on the CPU.

    Args:
        device: Where training computes; on a CPU without bfloat16, a notice says so.
    """
    global _enabled
    if device.type == "cpu" and not cpu_has_bfloat16():
        notify("this processor has no bfloat16: on it, training computes in float32, two to three times as slow")
    before, _enabled = _enabled, True
    try:
        yield
    finally:
        _enabled = before


def fast_precision(device: torch.device) -> AbstractContextManager[object]:
    """Autocast to bfloat16 where allowed, otherwise nothing."""
    if _enabled and _has_bfloat16(device):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return device.type == "cpu" and cpu_has_bfloat16()
