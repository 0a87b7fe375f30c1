"""Descent with a budget: Adam with a ramped learning rate, by steps or by the clock, that keeps the best so far."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import torch
from torch import Tensor

Snapshot = TypeVar("Snapshot")

_RAMP_UP, _RAMP_DOWN = 0.05, 0.5  # fractions of the run; StyleGAN2's projector takes 0.05 and 0.25 of a far longer one
_CHECKS = 8  # how often a run is looked at with the same rays


@dataclass(frozen=True)
class StepReport:
    """State of a run after a step.

    Args:
        step: Steps done so far.
        progress: Fraction of the budget that is used, 0 to 1.
        loss: Loss at the last check.
    """

    step: int
    progress: float
    loss: float


@dataclass
class Pace:
    """The budget of a run: whichever of steps and seconds is used up first ends it.

    Args:
        steps: Largest number of steps; None for no limit.
        seconds: Largest time in seconds; None for no limit.
    """

    steps: int | None
    seconds: float | None
    started: float = field(default_factory=time.monotonic)

    def progress(self, steps_done: int) -> float:
        """0 at the start, 1 or more when the budget is used up."""
        by_steps = 0.0 if self.steps is None else steps_done / max(self.steps, 1)
        by_clock = 0.0 if self.seconds is None else (time.monotonic() - self.started) / max(self.seconds, 1e-3)
        return max(by_steps, by_clock)


@dataclass(frozen=True)
class Descent(Generic[Snapshot]):
    """The end of a run.

    Args:
        best: The state with the lowest checked loss.
        first_loss: Loss of the start.
        best_loss: Loss of ``best``; never above ``first_loss``.
        steps: Steps done.
        is_interrupted: Whether Ctrl-C ended it.
    """

    best: Snapshot
    first_loss: float
    best_loss: float
    steps: int
    is_interrupted: bool


def rate_fraction(progress: float) -> float:
    """Fraction of the peak learning rate: up in a straight line, level, and down along a cosine."""
    up = min(1.0, (progress + 0.01) / _RAMP_UP)
    down = min(1.0, max(0.0, 1.0 - progress) / _RAMP_DOWN)
    return up * (0.5 - 0.5 * math.cos(math.pi * down))


def descend(
    groups: Sequence[tuple[list[Tensor], float]],
    loss_of_step: Callable[[int], Tensor],
    checked_loss: Callable[[], float],
    snapshot: Callable[[], Snapshot],
    pace: Pace,
    on_step: Callable[[StepReport], None] | None = None,
) -> Descent[Snapshot]:
    """Lower a loss until the budget is used up or Ctrl-C is pressed.

    Args:
        groups: Tensors that move, and their peak learning rate.
        loss_of_step: The loss of a step, on rays of its own, with gradients.
        checked_loss: The loss on rays that stay the same; what "best" means.
        snapshot: A copy of the state.
        pace: The budget.
        on_step: Function that is called after each step.
    """
    optimizer = torch.optim.Adam([{"params": tensors, "lr": rate} for tensors, rate in groups], betas=(0.9, 0.99))
    peaks = [rate for _, rate in groups]
    first = loss = best_loss = checked_loss()
    best, step, checks, is_interrupted = snapshot(), 0, 1, False
    try:
        while (progress := pace.progress(step)) < 1.0:
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * rate_fraction(progress)
            optimizer.zero_grad(set_to_none=True)
            loss_of_step(step).backward()
            optimizer.step()
            step += 1
            if pace.progress(step) * _CHECKS >= checks:
                checks += 1
                loss = checked_loss()
                if loss < best_loss:
                    best, best_loss = snapshot(), loss
            if on_step is not None:
                on_step(StepReport(step, min(pace.progress(step), 1.0), loss))
    except KeyboardInterrupt:
        is_interrupted = True
    if is_interrupted and (loss := checked_loss()) < best_loss:
        best, best_loss = snapshot(), loss
    return Descent(best, first, best_loss, step, is_interrupted)
