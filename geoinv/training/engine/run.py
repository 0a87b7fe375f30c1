"""Runs of training with their budgets, and the members that a stage needs to be trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import torch
from torch import Tensor, nn

from .moving_average import MovingAverage

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Minutes:
    """A budget in minutes of training.

    Args:
        total: Minutes of training over all parts of a run that was resumed; looks are not counted.
        look_every: Minutes between looks: metrics on held-out heads, a sheet of pictures, the best weights.
        checkpoint_every: Minutes between checkpoints: the most that a killed run loses.
        log_every: Steps between lines of the log.
    """

    total: float
    look_every: float = 5.0
    checkpoint_every: float = 1.0
    log_every: int = 50
    unit: ClassVar[str] = "minutes"

    def used(self, step: int, seconds: float) -> float:
        """Minutes that are used after so many steps and seconds."""
        return seconds / 60.0


@dataclass(frozen=True)
class Steps:
    """A budget in steps: the same curve on any machine, however busy; for comparisons, tests, and rehearsals of a run.

    Args:
        total: Steps over all parts of a run that was resumed.
        look_every: Steps between looks: metrics on held-out heads, a sheet of pictures, the best weights.
        checkpoint_every: Steps between checkpoints: the most that a killed run loses.
        log_every: Steps between lines of the log.
    """

    total: int
    look_every: int
    checkpoint_every: int
    log_every: int
    unit: ClassVar[str] = "steps"

    def used(self, step: int, seconds: float) -> float:
        """Steps that are used after so many steps and seconds."""
        return step


Budget = Minutes | Steps


@dataclass(frozen=True)
class Run:
    """A run of any stage.

    Args:
        out: Folder of the run; see :class:`.RunFolder`.
        budget: Length of the run, and how often it looks, saves and logs.
        learning_rate: The highest learning rate.
        average_decay: Decay of the moving average of the weights, in [0, 1), per step.
        seed: Seed of everything random.
        device: Device of networks and batches.
        accumulate: Batches whose mean gradient makes a step, where a device has no memory for a larger batch.
    """

    out: Path
    budget: Budget
    learning_rate: float
    average_decay: float = 0.998
    seed: int = 0
    device: torch.device = CPU
    accumulate: int = 1


@dataclass(frozen=True)
class Usual:
    """Numbers of a stage's runs unless others are asked for.

    Args:
        learning_rate: The highest learning rate.
        look_every: Minutes between looks.
        log_every: Steps between lines of the log.
    """

    learning_rate: float
    look_every: float
    log_every: int

    def run(
        self,
        out: Path,
        minutes: float,
        *,
        learning_rate: float | None = None,
        seed: int = 0,
        device: torch.device = CPU,
        accumulate: int = 1,
    ) -> Run:
        """A run of so many minutes.

        Args:
            out: Folder of the run.
            minutes: Minutes of training over all parts of the run.
            learning_rate: The highest learning rate; None for the usual one.
            seed: Seed of everything random.
            device: Device of networks and batches.
            accumulate: Batches whose mean gradient makes a step.
        """
        budget = Minutes(minutes, self.look_every, log_every=self.log_every)
        highest = self.learning_rate if learning_rate is None else learning_rate
        return Run(out, budget, highest, seed=seed, device=device, accumulate=accumulate)


class Stateful(Protocol):
    """Something whose state can be saved and loaded."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], /) -> Any: ...


Batch = TypeVar("Batch")


class Stage(Protocol[Batch]):
    """A network that learns, with its batches, its losses, its metrics and its file.

    :func:`.train` trains any stage: it keeps time, averages gradients over processes, logs, saves and resumes. A stage
    knows what is learned. It is made with a :class:`Run` and with the networks, files and settings that it needs.
    """

    @property
    def name(self) -> str:
        """Name of the stage, for people and for the record of a run."""

    @property
    def run(self) -> Run:
        """The run."""

    @property
    def model(self) -> nn.Module:
        """The network that learns, on the run's device."""

    @property
    def average(self) -> MovingAverage[Any]:
        """Moving average of the network: what is measured, and what is saved as weights."""

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """Optimiser of the network's parameters."""

    @property
    def loss_weights(self) -> Mapping[str, float]:
        """Weight of each loss in the sum; 0 for those that are only logged."""

    @property
    def best_by(self) -> str:
        """Name of the metric that is largest for the best weights."""

    @property
    def allows_bfloat16(self) -> bool:
        """Whether networks may compute in bfloat16 while the stage trains; see :func:`.allow_bfloat16`."""

    @property
    def beside(self) -> Mapping[str, Stateful]:
        """Other objects that belong into a checkpoint, by name, as an adversary does."""

    def describe(self) -> dict[str, Any]:
        """Plain values that say what the run is made from: settings, networks, hashes of data and of other weights.

        A run is not resumed with others. Values under ``data`` named ``heads``, ``shards`` and ``dataset_sha256`` may
        change, because data sets may grow.
        """

    def batch(self, step: int) -> Batch:
        """Make the batch of a step, on the CPU; called by a thread, ahead of time.

        Where a run accumulates gradients, its batches are counted here and in :meth:`losses`, several to a step.
        """

    def losses(self, batch: Batch, step: int, place: float) -> dict[str, Tensor]:
        """The losses of a step.

        Args:
            batch: Batch of the step, on the run's device.
            step: Number of steps before.
            place: Place in the schedule, in [0, 1].
        """

    def metrics(self, sheet: Path) -> dict[str, float]:
        """Measure the moving average on held-out heads, ``best_by`` among the metrics; write a sheet of pictures."""

    def save(self, path: Path, training: dict[str, Any], record: dict[str, Any]) -> None:
        """Write the moving average as weights to use.

        Args:
            path: A safetensors file.
            training: Metrics, steps and minutes, for the file's header.
            record: Record of the run, for the header: see :func:`.record_of`.
        """
