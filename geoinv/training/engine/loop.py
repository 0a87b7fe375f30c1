"""The loop that every stage of training shares: a time budget, resuming, figures, the best weights.

The learning rate follows the share of the budget that is used, so a budget in minutes gives a whole schedule on any
machine. Figures and weights are of the moving average; the best by one of the figures are kept.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from ...errors import UsageError
from .moving_average import MovingAverage
from .processes import average_gradients, of_first_process, rank
from .run_folder import RunFolder

Tell = Callable[[float, str], None]
"""Called with the share of the budget that is used, and a line for people."""


def learning_rate_at(progress: float, peak: float) -> float:
    """Short warm-up, then a cosine down to 2 % of the peak; ``progress`` in [0, 1]."""
    warm = min(progress / 0.01, 1.0)
    return peak * warm * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0))))


class Stateful(Protocol):
    """What can be saved and gone on from."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], /) -> Any: ...


@dataclass(frozen=True)
class StepBudget:
    """A budget in steps: the same curve on any machine, however busy; for comparisons, and to rehearse a run.

    Args:
        steps: Of training, over all resumed runs.
        validate_every: Between figures on held-out heads.
        log_every: Between lines of the log.
        checkpoint_every: What a killed run loses at most.
    """

    steps: int
    validate_every: int
    log_every: int
    checkpoint_every: int


@dataclass
class _SinceLog:
    """Sums of the losses since the last line of the log; saved, so that a resumed run writes the same lines."""

    seconds: float = 0.0  # of training, at that line
    steps: int = 0
    totals: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)  # a loss may be missing from some steps

    def add(self, losses: Mapping[str, float]) -> None:
        self.steps += 1
        for name, value in losses.items():
            self.totals[name] = self.totals.get(name, 0.0) + value
            self.counts[name] = self.counts.get(name, 0) + 1

    def means(self) -> dict[str, float]:
        return {name: total / self.counts[name] for name, total in self.totals.items()}


@dataclass(frozen=True)
class Schedule:
    """How long to train, and how often to look.

    Args:
        minutes: Of training, over all resumed runs; validation is not counted.
        learning_rate: Its peak.
        validate_every_minutes: Between figures on held-out heads.
        log_every_steps: Between lines of the log.
        checkpoint_every_minutes: What a killed run loses at most.
        best_by: The figure whose largest value tells the best weights.
        counted: A budget in steps in place of all of these times.
    """

    minutes: float
    learning_rate: float
    validate_every_minutes: float
    log_every_steps: int
    checkpoint_every_minutes: float = 1.0
    best_by: str = "heldout_psnr_db"
    counted: StepBudget | None = None


class TrainingLoop:
    """Trains ``model`` in a :class:`RunFolder`; made anew on the same folder, it goes on where the last one saved.

    Args:
        run: The folder.
        schedule: How long, and how often to look.
        model: What learns.
        average: Of it.
        optimizer: Of its parameters.
        on_progress: Is told how far it is.
        base: What the run builds on (the SHA-256 of a generator): a folder of another is refused.
        beside: What else goes into the checkpoint by name, as an adversary does.

    Raises:
        UsageError: The folder's run builds on something else.
    """

    def __init__(
        self,
        run: RunFolder,
        schedule: Schedule,
        model: nn.Module,
        average: MovingAverage,
        optimizer: torch.optim.Optimizer,
        on_progress: Tell | None,
        *,
        base: str = "",
        beside: Mapping[str, Stateful] | None = None,
    ) -> None:
        self.run, self.schedule, self.base = run, schedule, base
        self.model, self.average, self.optimizer = model, average, optimizer
        self.beside = dict(beside or {})
        self.step, self.seconds, self.best = 0, 0.0, -math.inf
        self._validated_at = self._saved_at = 0.0
        self._since_log = _SinceLog()
        self._tell = on_progress or (lambda progress, text: None)
        state = run.load_state()
        if state is not None:
            if state.get("base", base) != base:
                raise UsageError(f"the run in {run.path} builds on another generator", "give another --out")
            model.load_state_dict(state["model"])
            average.module.load_state_dict(state["average"])
            optimizer.load_state_dict(state["optimizer"])
            self.step, self.seconds, self.best = state["step"], state["seconds"], state["best"]
            self._validated_at, self._saved_at = state["validated_at"], self.seconds
            for name, part in self.beside.items():
                if name in state.get("beside", {}):  # not where it joined an earlier version's run
                    part.load_state_dict(state["beside"][name])
            self._since_log = _SinceLog(**state.get("since_log", {"seconds": self.seconds}))  # older files have none

    @property
    def progress(self) -> float:
        """Share of the budget that is used."""
        counted = self.schedule.counted
        return self.step / counted.steps if counted else self.seconds / max(self.schedule.minutes * 60.0, 1e-9)

    def train(
        self,
        losses: Callable[[float], dict[str, Tensor]],
        weights: Mapping[str, float],
        validate: Callable[[Path], dict[str, float]],
        save_best: Callable[[Path, dict[str, float]], None],
    ) -> Path:
        """Step until the budget is used.

        Args:
            losses: The losses of one step, given the progress.
            weights: Of each loss in the sum.
            validate: Figures of the moving average, ``best_by`` among them; it is given a file for a sheet.
            save_best: Writes the moving average as shippable weights, given the file and the figures.

        Returns:
            The file of the best weights.

        Raises:
            UsageError: Another run is at work in the folder.
        """
        with self.run.going_on_from(self.step) if rank() == 0 else nullcontext():
            while self.progress < 1.0:
                start = time.monotonic()
                values = self._one_step(losses(self.progress), weights)
                self.seconds = of_first_process(self.seconds + time.monotonic() - start)
                if rank() > 0:
                    continue
                self._since_log.add(values)
                if self.step % self._log_every == 0:
                    self._log()
                if self.progress >= 1.0 or self._is_due("validate_every", self._validated_at):
                    self._look(validate, save_best)
                elif self._is_due("checkpoint_every", self._saved_at):
                    self._save()
            if rank() == 0 and not self.best_path.exists():  # killed, and gone on with in a smaller budget
                self._look(validate, save_best)
        return self.best_path

    @property
    def best_path(self) -> Path:
        """The file of the best weights so far."""
        return self.run.path / "best.safetensors"

    @property
    def _log_every(self) -> int:
        return self.schedule.counted.log_every if self.schedule.counted else self.schedule.log_every_steps

    def _is_due(self, what: Literal["validate_every", "checkpoint_every"], last_seconds: float) -> bool:
        if self.schedule.counted is not None:
            every_steps: int = getattr(self.schedule.counted, what)
            return self.step % every_steps == 0
        every_minutes: float = getattr(self.schedule, f"{what}_minutes")
        return self.seconds - last_seconds > every_minutes * 60.0

    def _log(self) -> None:
        since = self._since_log
        seconds_per_step = (self.seconds - since.seconds) / max(since.steps, 1)
        self.run.log(**self._clock(), **since.means(), seconds_per_step=seconds_per_step)
        self._since_log = _SinceLog(self.seconds)
        self._tell(min(self.progress, 1.0), f"step {self.step}, {seconds_per_step:.3f} s a step")

    def _look(
        self,
        validate: Callable[[Path], dict[str, float]],
        save_best: Callable[[Path, dict[str, float]], None],
    ) -> None:
        """Measure, keep the best, and save."""
        self._validated_at = self.seconds
        figures = validate(self.run.sheet(self.step))
        self.run.log(**self._clock(), **figures)
        self.run.plot()
        if figures[self.schedule.best_by] > self.best or not self.best_path.exists():
            self.best = figures[self.schedule.best_by]
            rounded = {name: round(value, 3) for name, value in figures.items()}
            save_best(self.best_path, rounded | {"steps": self.step, "minutes": round(self.seconds / 60.0, 1)})
        self._save()
        self._tell(min(self.progress, 1.0), ", ".join(f"{name} {value:.2f}" for name, value in figures.items()))

    def _clock(self) -> dict[str, float]:
        return {"step": self.step, "minutes": self.seconds / 60.0}

    def _one_step(self, losses: dict[str, Tensor], weights: Mapping[str, float]) -> dict[str, float]:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate_at(self.progress, self.schedule.learning_rate)
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack([weights[name] * loss for name, loss in losses.items()]).sum().backward()
        average_gradients(self.model.parameters())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        self.average.update(self.model, self.step)
        return {name: loss.item() for name, loss in losses.items()}

    def _save(self) -> None:
        self._saved_at = self.seconds
        self.run.save_state(
            {
                "model": self.model.state_dict(),
                "average": self.average.module.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
                "best": self.best,
                "validated_at": self._validated_at,
                "since_log": asdict(self._since_log),
                "base": self.base,
                "beside": {name: part.state_dict() for name, part in self.beside.items()},
            }
        )
