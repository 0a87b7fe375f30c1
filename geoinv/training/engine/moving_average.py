"""Exponential moving average of a model's parameters."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


class MovingAverage(Generic[Module]):
    """A copy of ``module`` whose parameters follow it slowly; buffers are copied."""

    def __init__(self, module: Module, decay: float) -> None:
        self.module: Module = copy.deepcopy(module).requires_grad_(False).eval()
        self.decay = decay

    @torch.no_grad()
    def update(self, module: Module, step: int) -> None:
        """Move toward ``module``; faster in the first steps, whose parameters are worth forgetting."""
        decay = min(self.decay, (step + 1) / (step + 10))
        averaged = [p.detach() for p in self.module.parameters()]
        current = [p.detach() for p in module.parameters()]
        torch._foreach_lerp_(averaged, current, 1.0 - decay)
        for target, source in zip(self.module.buffers(), module.buffers(), strict=True):
            target.copy_(source)
