"""Encoder and local branch of any tri-plane generator, from its own samples, within a budget of hours.

Both parts are resumable, each in a folder of its own below ``out``; ``out/weights`` is a whole model then.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from ...checkpoints.model_files import generator_path, model_name
from ...files import only_one_process, remove_leftovers
from ...folders import sha256_of
from ...models.detail_config import DetailConfig
from ...models.encoder_config import EncoderConfig
from ...progress import Say
from ..data.own_samples import OwnSettings
from ..engine.loop import train
from ..engine.run import Run, Steps, Usual
from .encoder import EncoderSettings, EncoderStage, Size
from .local import LocalSettings, LocalStage
from .part import earlier, prefixed, reporting, ship, start_over_for

ENCODER_FRACTION = 0.7
"""The encoder's part of the budget: the local branch is flat after minutes where E0 goes on learning for hours (see
``docs/training.md``)."""


@dataclass(frozen=True)
class OwnSizes:
    """Networks and settings; others than the defaults rehearse a run in seconds.

    Args:
        encoder: The encoder; None: the default for generator and size.
        details: The local branch; None: the default for the generator.
        encoder_settings: Settings of the encoder's stage.
        local_settings: Settings of the local branch's stage.
        steps: Budget in steps of each part, in place of its fraction of the hours.
    """

    encoder: EncoderConfig | None = None
    details: DetailConfig | None = None
    encoder_settings: EncoderSettings | None = None
    local_settings: LocalSettings | None = None
    steps: Steps | None = None


@dataclass(frozen=True)
class OwnStages:
    """Settings of a run.

    Args:
        out: Its folder.
        hours: The budget.
        model: The generator, by name or file.
        own: How its samples are drawn.
        size: Size of the encoder.
        photos: Folder of unlabelled portraits, or None.
        accumulate: Batches whose mean gradient makes a step.
        seed: Seed of everything random.
        device: Device of networks, batches and rendering.
        sizes: Networks and settings.
    """

    out: Path
    hours: float
    model: str
    own: OwnSettings = OwnSettings()
    size: Size = "small"
    photos: Path | None = None
    accumulate: int = 1
    seed: int = 0
    device: torch.device = torch.device("cpu")
    sizes: OwnSizes = field(default_factory=OwnSizes)

    def shipped(self, part: str) -> Path:
        """The file of a part in ``out/weights``."""
        return self.out / "weights" / f"{model_name(self.model)}-{part}.safetensors"

    def run(self, name: str, usual: Usual, fraction: float) -> Run:
        """The run of a part."""
        minutes = 60.0 * self.hours * fraction
        run = usual.run(self.out / name, minutes, seed=self.seed, device=self.device, accumulate=self.accumulate)
        return run if self.sizes.steps is None else replace(run, budget=self.sizes.steps)


def train_own(config: OwnStages, say: Say = lambda text: None) -> Path:
    """Train what is left of encoder and local branch.

    Args:
        config: Settings of the run.
        say: Called with lines for people.

    Returns:
        The folder of weights: the generator, its encoder and its local branch.

    Raises:
        CheckpointError: No such model.
        UsageError: The folder's run began with other settings, or another run is at work in it.
    """
    base = generator_path(config.model)
    weights = config.shipped("generator").parent
    weights.mkdir(parents=True, exist_ok=True)
    with only_one_process(config.out):
        remove_leftovers(weights)
        generator = config.shipped("generator")
        if not generator.exists() or sha256_of(generator) != sha256_of(base):
            ship(base, generator)
        for name, part in (("encoder", _encoder), ("local", _local)):
            start = time.monotonic()
            part(config, prefixed(name, say))
            say(f"{name}: done in {(time.monotonic() - start) / 60.0:.1f} minutes")
    return weights


def _encoder(config: OwnStages, say: Say) -> None:
    generator = config.shipped("generator")
    run = config.run("encoder", EncoderStage.usual, ENCODER_FRACTION)
    start_over_for(run, {"generator": sha256_of(generator)}, say)
    stage = EncoderStage(
        run,
        data=config.own,
        model=str(generator),
        photos=config.photos,
        start=earlier(run),
        settings=config.sizes.encoder_settings,
        size=config.size,
        config=config.sizes.encoder,
    )
    ship(train(stage, reporting(say)), config.shipped("encoder"))


def _local(config: OwnStages, say: Say) -> None:
    generator, encoder = config.shipped("generator"), config.shipped("encoder")
    run = config.run("local", LocalStage.usual, 1.0 - ENCODER_FRACTION)
    start_over_for(run, {"generator": sha256_of(generator), "encoder": sha256_of(encoder)}, say)
    stage = LocalStage(
        run,
        data=config.own,
        model=str(generator),
        photos=config.photos,
        start=earlier(run),
        settings=config.sizes.local_settings,
        config=config.sizes.details,
    )
    ship(train(stage, reporting(say)), config.shipped("details"))
