"""A stage of ``geoinv train`` at work: its folder, device and processes, the heads that options ask for, its result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from . import console
from .options import refuse_together, refuse_without
from .targets import check_writable

if TYPE_CHECKING:
    import torch

    from ..checkpoints.registry import NetworkPart
    from ..training.data.own_samples import OwnSettings
    from ..training.engine.run import Run, Stage, Usual


@dataclass(frozen=True)
class Training:
    """A stage's command at work.

    Args:
        out: Folder of the run.
        device: Device of this process.
        command: The command, which prints the result.
        is_first: Whether this is the first of several processes, which alone prints.
    """

    out: Path
    device: torch.device
    command: console.Command
    is_first: bool

    def run(self, usual: Usual, minutes: float, learning_rate: float | None, seed: int, accumulate: int = 1) -> Run:
        """The run that the options ask for."""
        return usual.run(
            self.out, minutes, learning_rate=learning_rate, seed=seed, device=self.device, accumulate=accumulate
        )

    def report(self, progress: float, text: str) -> None:
        """Say how far the run is."""
        console.talk(f"{100.0 * progress:5.1f} %  {text}")

    def train(self, stage: Stage[Any], summary: str) -> Path:
        """Train the stage and print the result; returns the best weights."""
        from ..training.engine.loop import train

        best = train(stage, self.report)
        if self.is_first:
            self.command.result(summary, {"weights": best, "run": self.out}, [best], device=self.device)
        return best


@contextmanager
def stage_at_work(name: str, out: Path, device: str, *, json_output: bool, quiet: bool) -> Iterator[Training]:
    """Prepare a stage's command: folder, device, processes."""
    command = console.command(quiet, json_output)
    check_writable(out)
    from ..loaded_models import pick_device
    from ..training.engine.processes import device_of_process, joined_processes, rank

    where = device_of_process(pick_device(device))
    with joined_processes(where):
        console.set_quiet(quiet or rank() > 0)
        if where.type != "cpu":
            console.talk(f"{name}: on {where}")
        yield Training(out, where, command, rank() == 0)


def register_own(model: str, weights: Path, part: NetworkPart) -> None:
    """Register what was trained on a generator's own samples, so that ``--model`` finds it where it lies."""
    from ..checkpoints.model_files import model_name
    from ..checkpoints.registry import register

    try:
        name = register(
            weights,
            part,
            f"{model_name(model)}-self-{part}",
            source=f"trained by geoinv on samples of {model_name(model)}",
            licence="that of the generator's weights",
        )
    except UsageError as error:  # the weights are there, whether or not the cache can be written to
        console.warn(f"{weights} is not registered, so --{part} has to name it: {error.message}")
        return
    console.talk(f"{weights} is registered as {name}")


def own_samples(new_samples: int | None) -> OwnSettings:
    """How a generator's own samples are drawn, with so many new ones in a step; None for as many as usual."""
    from ..training.data.own_samples import OwnSettings

    return OwnSettings() if new_samples is None else OwnSettings(new_samples)


def given_heads(
    data: Path | None, validation: Path | None, new_samples: int | None, *, own: bool
) -> Path | OwnSettings:
    """The heads that the options ask for.

    Raises:
        UsageError: Neither or both kinds of heads, or a data set without others to measure on.
    """
    if own:
        given = {"--data": data is not None, "--validation": validation is not None}
        refuse_together("--self", given, "own samples need no data set")
        return own_samples(new_samples)
    refuse_without("--self", {"--new-samples": new_samples is not None}, "a data set has the heads that it has")
    if data is None or validation is None:
        raise UsageError("no heads to train on", "give --data and --validation, or --self for the generator's samples")
    return data
