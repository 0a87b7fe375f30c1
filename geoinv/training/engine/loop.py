"""The loop that trains every stage: a budget, a schedule, resuming, metrics, the best weights.

Metrics and weights are those of the moving average; the weights that are best by one of the metrics are kept.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic

import torch
from torch import Tensor

from ...models.precision import allow_bfloat16
from .background import in_background
from .devices import moved
from .memory import keep_freed_memory
from .processes import average_gradients, of_first_process, rank, start_alike
from .record import record_of
from .run import Batch, Stage
from .run_folder import RunFolder
from .schedule import Course, learning_rate_at

Report = Callable[[float, str], None]
"""Called with the fraction of the budget that is used, and a line for people."""


def train(stage: Stage[Any], report: Report | None = None) -> Path:
    """Train a stage until its run's budget is used, over all parts of a run that was resumed.

    Args:
        stage: What is trained, and in which run.
        report: Called at every line of the log and at every look.

    Returns:
        The file of the best weights.

    Raises:
        UsageError: The folder holds a run with other settings, data or base weights, or another run is at work in it.
        ValueError: A loss of the stage has no weight.
    """
    keep_freed_memory()
    with allow_bfloat16(stage.run.device) if stage.allows_bfloat16 else nullcontext():
        return TrainingLoop(stage, report).train()


def weighted_sum(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Sum of losses, each times its weight.

    Raises:
        ValueError: A loss has no weight.
    """
    without = [name for name in losses if name not in weights]
    if without:
        raise ValueError(f"no weight for the loss {', '.join(without)}: the table of weights has {', '.join(weights)}")
    return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()


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


class TrainingLoop(Generic[Batch]):
    """Trains a stage in a :class:`RunFolder`; made anew on the same folder, it goes on where the last one saved.

    Args:
        stage: What is trained, and in which run.
        report: Called at every line of the log and at every look.

    Raises:
        UsageError: The folder holds a run with other settings, data or base weights.
    """

    def __init__(self, stage: Stage[Batch], report: Report | None = None) -> None:
        self.stage, self.run = stage, stage.run
        self.folder = RunFolder(self.run.out)
        self.record = record_of(stage)
        self.step, self.seconds, self.best = 0, 0.0, -math.inf
        self._looked_at = self._saved_at = 0.0  # in the budget's unit
        self._since_log = _SinceLog()
        self._course = Course(self.run.budget.unit, self.run.budget.total)
        self._report = report or (lambda progress, text: None)
        self.folder.check_record(self.record)
        state = self.folder.load_state()
        if state is not None:
            self._load(state)

    def _load(self, state: dict[str, Any]) -> None:
        stage, budget = self.stage, self.run.budget
        stage.model.load_state_dict(state["model"])
        stage.average.module.load_state_dict(state["average"])
        stage.optimizer.load_state_dict(state["optimizer"])
        for name, part in stage.beside.items():
            part.load_state_dict(state["beside"][name])
        self.step, self.seconds, self.best = state["step"], state["seconds"], state["best"]
        self._since_log = _SinceLog(**state["since_log"])
        before = Course(**state["course"])
        self._course = before.changed_to(
            budget.unit, budget.total, used_before=state["used"], used=budget.used(self.step, self.seconds)
        )
        self._saved_at = self.used
        self._looked_at = state["looked_at"] if before.unit == budget.unit else self.used
        if before.at(state["used"]) >= 1.0 and self.used < budget.total and rank() == 0:
            self._report(
                min(self.used / budget.total, 1.0),
                "this run had ended: it goes on with the lowest learning rate; for a high one, start another run from "
                "its weights",
            )

    @property
    def used(self) -> float:
        """Part of the budget that is used, in the budget's unit."""
        return self.run.budget.used(self.step, self.seconds)

    @property
    def progress(self) -> float:
        """Fraction of the budget that is used, in [0, 1]."""
        return min(self.used / self.run.budget.total, 1.0) if self.run.budget.total > 0.0 else 1.0

    @property
    def place(self) -> float:
        """Place in the schedule, in [0, 1]: the progress, unless the run got another budget when it was resumed."""
        return self._course.at(self.used)

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step."""
        return learning_rate_at(self.place, self.run.learning_rate)

    @property
    def best_path(self) -> Path:
        """The file of the best weights so far."""
        return self.folder.path / "best.safetensors"

    def train(self) -> Path:
        """Step until the budget is used.

        Returns:
            The file of the best weights.

        Raises:
            UsageError: Another run is at work in the folder.
            ValueError: A loss of the stage has no weight.
        """
        budget = self.run.budget
        start_alike(self.stage.model)
        with self._alone_in_the_folder(), closing(in_background(self._next_batch())) as batches:
            while self.used < budget.total or self.step == 0:
                start = time.monotonic()
                values = self._one_step(*(next(batches) for _ in range(self.run.accumulate)))
                self.seconds = of_first_process(self.seconds + time.monotonic() - start)
                if rank() > 0:
                    continue
                self._since_log.add(values)
                if self.step % budget.log_every == 0:
                    self._log()
                if self.used >= budget.total or self.used - self._looked_at >= budget.look_every:
                    self._look()
                elif self.used - self._saved_at >= budget.checkpoint_every:
                    self._save()
            if rank() == 0 and not self.best_path.exists():  # killed, and resumed with a smaller budget
                self._look()
        return self.best_path

    @contextmanager
    def _alone_in_the_folder(self) -> Iterator[None]:
        if rank() > 0:
            yield
            return
        with self.folder.going_on_from(self.step):
            self.folder.write_record(self.record)
            yield

    def _next_batch(self) -> Callable[[], Batch]:
        steps = itertools.count(self.step * self.run.accumulate)
        return lambda: self.stage.batch(next(steps))

    def _one_step(self, *batches: Batch) -> dict[str, float]:
        """One step of the optimiser, whose gradient is the mean over the batches."""
        stage, count = self.stage, len(batches)
        for group in stage.optimizer.param_groups:
            group["lr"] = self.learning_rate
        stage.optimizer.zero_grad(set_to_none=True)
        total: dict[str, float] = {}
        for part, batch in enumerate(batches):
            losses = stage.losses(moved(batch, self.run.device), self.step * count + part, self.place)
            (weighted_sum(losses, stage.loss_weights) / count).backward()
            for name, loss in losses.items():
                total[name] = total.get(name, 0.0) + loss.item() / count
        average_gradients(stage.model.parameters())
        torch.nn.utils.clip_grad_norm_(stage.model.parameters(), 1.0)
        stage.optimizer.step()
        self.step += 1
        stage.average.update(stage.model, self.step)
        return total

    def _log(self) -> None:
        since = self._since_log
        seconds_per_step = (self.seconds - since.seconds) / max(since.steps, 1)
        self.folder.log(**self._clock(), **since.means(), seconds_per_step=seconds_per_step)
        self._since_log = _SinceLog(self.seconds)
        self._report(self.progress, f"step {self.step}, {seconds_per_step:.3f} s a step")

    def _look(self) -> None:
        """Measure, keep the best, and save."""
        self._looked_at = self.used
        metrics = self.stage.metrics(self.folder.sheet(self.step))
        self.folder.log(**self._clock(), **metrics)
        self.folder.plot()
        if metrics[self.stage.best_by] > self.best or not self.best_path.exists():
            self.best = metrics[self.stage.best_by]
            rounded = {name: round(value, 3) for name, value in metrics.items()}
            training = {**rounded, "steps": self.step, "minutes": round(self.seconds / 60.0, 1)}
            self.stage.save(self.best_path, training, self.record)
        self._save()
        self._report(self.progress, ", ".join(f"{name} {value:.2f}" for name, value in metrics.items()))

    def _clock(self) -> dict[str, float]:
        return {"step": self.step, "minutes": self.seconds / 60.0}

    def _save(self) -> None:
        self._saved_at = self.used
        self.folder.save_state(
            {
                "model": self.stage.model.state_dict(),
                "average": self.stage.average.module.state_dict(),
                "optimizer": self.stage.optimizer.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
                "best": self.best,
                "used": self.used,
                "looked_at": self._looked_at,
                "course": asdict(self._course),
                "since_log": asdict(self._since_log),
                "beside": {name: part.state_dict() for name, part in self.stage.beside.items()},
            }
        )
