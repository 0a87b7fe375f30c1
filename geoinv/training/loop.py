"""The loop that every stage of training shares: a time budget, resuming, figures, the best weights.

The learning rate follows the share of the budget that is used, so a budget in minutes gives a whole schedule on any
machine. Figures and weights are of the moving average; the best by one of the figures are kept.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from .moving_average import MovingAverage
from .processes import average_gradients, of_first_process, rank
from .run_folder import RunFolder

Tell = Callable[[float, str], None]
"""Called with the share of the budget that is used, and a line for people."""


def learning_rate_at(progress: float, peak: float) -> float:
    """Short warm-up, then a cosine down to 2 % of the peak; ``progress`` in [0, 1]."""
    warm = min(progress / 0.01, 1.0)
    return peak * warm * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0))))


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
    """

    minutes: float
    learning_rate: float
    validate_every_minutes: float
    log_every_steps: int
    checkpoint_every_minutes: float = 1.0
    best_by: str = "heldout_psnr_db"


class TrainingLoop:
    """Trains ``model`` in a :class:`RunFolder`; made anew on the same folder, it goes on where the last one saved."""

    def __init__(
        self,
        run: RunFolder,
        schedule: Schedule,
        model: nn.Module,
        average: MovingAverage,
        optimizer: torch.optim.Optimizer,
        on_progress: Tell | None,
    ) -> None:
        self.run, self.schedule = run, schedule
        self.model, self.average, self.optimizer = model, average, optimizer
        self.step, self.seconds, self.best = 0, 0.0, -math.inf
        self._validated_at = self._saved_at = 0.0
        self._tell = on_progress or (lambda progress, text: None)
        state = run.load_state()
        if state is not None:
            model.load_state_dict(state["model"])
            average.module.load_state_dict(state["average"])
            optimizer.load_state_dict(state["optimizer"])
            self.step, self.seconds, self.best = state["step"], state["seconds"], state["best"]
            self._validated_at, self._saved_at = state["validated_at"], self.seconds
            if rank() == 0:
                run.forget_after(self.step)

    @property
    def progress(self) -> float:
        """Share of the budget that is used."""
        return self.seconds / (self.schedule.minutes * 60.0)

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
        """
        best_path = self.run.path / "best.safetensors"
        totals: dict[str, list[float]] = {}
        while self.progress < 1.0:
            start = time.monotonic()
            for name, value in self._one_step(losses(self.progress), weights).items():
                totals.setdefault(name, []).append(value)
            self.seconds = of_first_process(self.seconds + time.monotonic() - start)
            if rank() > 0:
                continue
            if self.step % self.schedule.log_every_steps == 0:
                self.run.log(**self._clock(), **{name: sum(values) / len(values) for name, values in totals.items()})
                totals = {}
                self._tell(self.progress, f"step {self.step}, {self.step / self.seconds:.2f} steps/s")
            if self.progress >= 1.0 or self._is_due(self._validated_at, self.schedule.validate_every_minutes):
                self._validated_at = self.seconds
                figures = validate(self.run.path / f"samples_{self.step:06d}.png")
                self.run.log(**self._clock(), **figures)
                self.run.plot()
                if figures[self.schedule.best_by] > self.best:
                    self.best = figures[self.schedule.best_by]
                    rounded = {name: round(value, 3) for name, value in figures.items()}
                    save_best(best_path, rounded | {"steps": self.step, "minutes": round(self.seconds / 60.0, 1)})
                self._save()
                self._tell(self.progress, ", ".join(f"{name} {value:.2f}" for name, value in figures.items()))
            elif self._is_due(self._saved_at, self.schedule.checkpoint_every_minutes):
                self._save()
        return best_path

    def _is_due(self, last: float, every_minutes: float) -> bool:
        return self.seconds - last > every_minutes * 60.0

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
            }
        )
