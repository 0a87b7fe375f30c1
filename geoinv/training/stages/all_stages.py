"""Every stage of ``mini``, from nothing to weights that ship, within a budget of hours.

The parts go one after another, each in a folder of its own below ``out``, each resumable, so a run that was killed
goes on where it was. A part is an entry of :data:`PARTS`; what one hands to the next are files.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from ...checkpoints.store import load_details, load_encoder, load_generator, sha256_of
from ...editing import load_directions
from ...errors import CheckpointError, UsageError
from ...evaluation import build_held_out, evaluate_heads, load_held_out
from ...files import atomic_path, only_one_process, remove_leftovers
from ...models.config import DetailConfig, DiscriminatorConfig, EncoderConfig, GeneratorConfig
from ...progress import Say
from ...synth.dataset import make_dataset
from ..data.face_photos import described_photos
from ..engine.loop import train
from ..engine.record import check_unchanged, versions
from ..engine.run import Run, Steps, Usual
from ..engine.run_folder import RunFolder
from .directions import known_directions
from .encoder import EncoderSettings, EncoderStage
from .generator import GeneratorSettings, GeneratorStage
from .local import LocalSettings, LocalStage
from .mini_model import mini_for_heads
from .part import earlier, prefixed, reporting, ship, start_over_for
from .stale import details_of_another_encoder
from .superresolution import SuperresolutionSettings, SuperresolutionStage

HEADS_PER_HOUR = 7000
"""Heads to render for each hour of the budget, three views each, for the generator: a fifteenth of it on two cores."""
MOST_HEADS = 60_000
LARGE_HEADS_PER_HOUR = 2500
"""Heads to render for each hour at the final resolution, for encoder and local branch: as long again."""
MOST_LARGE_HEADS = 15_000
"""Most heads at the final resolution, of 1.8 MB each."""


@dataclass(frozen=True)
class Sizes:
    """Amounts of everything that a run makes, and its networks; others than the defaults rehearse a run in minutes.

    Args:
        heads: Heads to train on; None: by the hours.
        check_heads: Heads to measure on while training.
        large_heads: Heads to train on at the final resolution; None: by the hours.
        large_check_heads: Heads to measure on at the final resolution.
        held_out_heads: Heads that the shipped metrics are measured on.
        shard_size: Heads in a shard.
        model: The generator.
        encoder: The encoder; None: the default for the generator.
        details: The local branch; None: the default for the generator.
        discriminator: The local branch's discriminator; None: the default.
        generator_settings: Settings of the generator's stage.
        superresolution_settings: Settings of super-resolution's stage.
        encoder_settings: Settings of the encoder's stage.
        local_settings: Settings of the local branch's stage.
        steps: Budgets in steps by the stage's name, in place of its fraction of the hours.
    """

    heads: int | None = None
    check_heads: int = 60
    large_heads: int | None = None
    large_check_heads: int = 40
    held_out_heads: int = 48
    shard_size: int = 100
    model: GeneratorConfig = field(default_factory=mini_for_heads)
    encoder: EncoderConfig | None = None
    details: DetailConfig | None = None
    discriminator: DiscriminatorConfig | None = None
    generator_settings: GeneratorSettings = GeneratorSettings()
    superresolution_settings: SuperresolutionSettings = SuperresolutionSettings()
    encoder_settings: EncoderSettings = EncoderSettings()
    local_settings: LocalSettings = LocalSettings()
    steps: Mapping[str, Steps] = field(default_factory=dict)


@dataclass(frozen=True)
class AllStages:
    """Settings of a run.

    Args:
        out: Its folder; ``weights/`` in it holds what ships.
        hours: The budget.
        assets: Folder of the MakeHuman assets.
        photos: Folder of unlabelled portraits for encoder and local branch, or None.
        start: Folder of weights to go on from (``mini-generator.safetensors`` and, if there, encoder and details).
        workers: Processes that render heads.
        compile: Whether to compile the backbone with torch.
        seed: Seed of everything random.
        device: Device of networks and batches.
        sizes: Amounts of everything, and the networks.
    """

    out: Path
    hours: float
    assets: Path | None = None
    photos: Path | None = None
    start: Path | None = None
    workers: int = 2
    compile: bool = False
    seed: int = 0
    device: torch.device = torch.device("cpu")
    sizes: Sizes = field(default_factory=Sizes)

    @property
    def weights(self) -> Path:
        """The folder of what ships."""
        return self.out / "weights"

    @property
    def generator(self) -> Path:
        """The generator that ships."""
        return self.weights / "mini-generator.safetensors"

    @property
    def encoder(self) -> Path:
        """The encoder that ships."""
        return self.weights / "mini-encoder.safetensors"

    @property
    def details(self) -> Path:
        """The local branch that ships."""
        return self.weights / "mini-details.safetensors"

    @property
    def held_out(self) -> Path:
        """The heads that the shipped metrics are measured on."""
        return self.weights / "heldout-heads.safetensors"

    def run(self, stage: str, usual: Usual, minutes: float) -> Run:
        """The run of a stage, in a folder of its name.

        Args:
            stage: Name of the stage.
            usual: What its runs usually have.
            minutes: Budget, where ``sizes`` has none in steps.
        """
        run = usual.run(self.out / stage, minutes, seed=self.seed, device=self.device)
        return replace(run, budget=self.sizes.steps[stage]) if stage in self.sizes.steps else run


@dataclass(frozen=True)
class Part:
    """A part of a run.

    Args:
        name: Name for people; what the part trains lies in a folder of this name.
        fraction: Fraction of the budget; 0 where it takes what it needs.
        work: Does what is left of the part; called with the settings, the minutes that its fraction makes, and a
            function for lines for people.
    """

    name: str
    fraction: float
    work: Callable[[AllStages, float, Say], None]


def train_all(config: AllStages, say: Say = lambda text: None) -> Path:
    """Run what is left of all parts.

    Args:
        config: Settings of the run.
        say: Called with lines for people.

    Returns:
        The folder of weights: generator, encoder, details, directions, held-out heads and metrics (``figures.json``).

    Raises:
        UsageError: The budget is too short to make heads, ``start`` has no weights, the folder's run began with another
            start, seed or other photos, or another run is at work in ``out``.
    """
    _check(config)
    config.weights.mkdir(parents=True, exist_ok=True)
    with only_one_process(config.out):
        _keep_record(config)
        remove_leftovers(config.weights)
        for part in PARTS:
            start = time.monotonic()
            part.work(config, 60.0 * config.hours * part.fraction, prefixed(part.name, say))
            pace = RunFolder(config.out / part.name).pace() if part.fraction else None
            took = f"{(time.monotonic() - start) / 60.0:.1f} minutes in this run"
            say(f"{part.name}: done; " + (f"{pace}; {took}" if pace else took))
    return config.weights


def _check(config: AllStages) -> None:
    if _heads_to_render(config) < 2:
        raise UsageError(f"{config.hours} hours are too short", "half an hour is the least that shows anything")
    if config.start is not None and config.start.resolve() == config.weights.resolve():
        raise UsageError(
            f"{config.start} are the weights of this very run", "it goes on by itself; or give another --out"
        )
    _started(config, "generator")


def _keep_record(config: AllStages) -> None:
    """Write the run's record, or check that it goes on with what it began with: else a stage would say so, hours later.

    Without ``--from``, for instance, the encoder's stage would take itself for one that begins with random weights.
    """
    path = config.out / "run.json"
    starts = {kind: _started(config, kind) for kind in ("generator", "encoder", "details")}
    record: dict[str, Any] = {
        "start": {kind: None if weights is None else sha256_of(weights) for kind, weights in starts.items()},
        "photos": None if config.photos is None else described_photos(config.photos),
        "seed": config.seed,
        "budget": {"unit": "hours", "total": config.hours},
        "versions": versions(),
    }
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        given = before.pop("options") or "neither --from nor --photos"
        check_unchanged(config.out, before, record, f"it began with {given}: give these, or another --out")
    options = [f"--{name} {value}" for name, value in (("from", config.start), ("photos", config.photos)) if value]
    with atomic_path(path, durable=True) as temporary:
        temporary.write_text(json.dumps({**record, "options": " ".join(options)}, indent=2) + "\n", encoding="utf-8")


def _heads_to_render(config: AllStages) -> int:
    if config.sizes.heads is not None:
        return config.sizes.heads
    return min(int(HEADS_PER_HOUR * config.hours), MOST_HEADS) // 100 * 100


def _large_heads_to_render(config: AllStages) -> int:
    if config.sizes.large_heads is not None:
        return config.sizes.large_heads
    wanted = int(LARGE_HEADS_PER_HOUR * config.hours) // 100 * 100
    return min(max(wanted, 200), MOST_LARGE_HEADS)


def _heads(config: AllStages, minutes: float, say: Say) -> None:
    sizes, side = config.sizes, config.sizes.model.neural_resolution

    def data(name: str, heads: int, views: int, resolution: int, seed: int, *, twins: bool) -> None:
        make_dataset(
            config.out / name,
            heads,
            views,
            resolution,
            seed,
            config.assets,
            twins=twins,
            workers=config.workers,
            shard_size=sizes.shard_size,
            on_shard=lambda shard, of, rate: say(f"{name}: shard {shard + 1} of {of}, {rate:.1f} views a second"),
        )

    # seeds of their own, so that no head to check on is trained on
    data("check", sizes.check_heads, 2, side, 3 * config.seed + 2_000_001, twins=True)
    large = sizes.model.resolution
    data("large-check", sizes.large_check_heads, 2, large, 3 * config.seed + 2_000_001, twins=True)
    data("large", _large_heads_to_render(config), 3, large, 3 * config.seed + 2_000_002, twins=True)
    data("heads", _heads_to_render(config), 3, side, 3 * config.seed + 2_000_003, twins=True)
    if not config.held_out.exists():
        say(f"held-out: {sizes.held_out_heads} heads")
        build_held_out(config.held_out, sizes.held_out_heads, assets=config.assets)


def _generator(config: AllStages, minutes: float, say: Say) -> None:
    stage = GeneratorStage(
        config.run("generator", GeneratorStage.usual, minutes),
        config.sizes.model,
        data=config.out / "heads",
        validation=config.out / "check",
        start=_started(config, "generator"),
        settings=config.sizes.generator_settings,
        compile_backbone=config.compile,
        report=reporting(say),
    )
    _measure(config, "generator", train(stage, reporting(say)), say)


def _superresolution(config: AllStages, minutes: float, say: Say) -> None:
    trained = config.out / "generator" / "best.safetensors"
    run = config.run("superresolution", SuperresolutionStage.usual, minutes)
    start_over_for(run, {"generator": sha256_of(trained)}, say)
    stage = SuperresolutionStage(
        run, data=config.out / "large", model=str(trained), settings=config.sizes.superresolution_settings
    )
    ship(train(stage, reporting(say)), config.generator)


def _encoder(config: AllStages, minutes: float, say: Say) -> None:
    run = config.run("encoder", EncoderStage.usual, minutes)
    start_over_for(run, {"generator": sha256_of(config.generator)}, say)
    stage = EncoderStage(
        run,
        data=config.out / "large",
        validation=config.out / "large-check",
        model=str(config.generator),
        photos=config.photos,
        start=earlier(run) or _started(config, "encoder"),
        settings=config.sizes.encoder_settings,
        config=config.sizes.encoder,
    )
    ship(train(stage, reporting(say)), config.encoder)
    stale = details_of_another_encoder(str(config.generator), config.encoder)
    if stale is not None:
        say(f"{stale} is of another encoder, and of no use until it is trained again")
    _measure(config, "encoder", config.generator, say, config.encoder)


def _local(config: AllStages, minutes: float, say: Say) -> None:
    run = config.run("local", LocalStage.usual, minutes)
    start_over_for(run, {"generator": sha256_of(config.generator), "encoder": sha256_of(config.encoder)}, say)
    stage = LocalStage(
        run,
        data=config.out / "large",
        validation=config.out / "large-check",
        model=str(config.generator),
        photos=config.photos,
        start=earlier(run) or _started(config, "details"),
        settings=config.sizes.local_settings,
        config=config.sizes.details,
        discriminator=config.sizes.discriminator,
    )
    ship(train(stage, reporting(say)), config.details)
    _measure(config, "local", config.generator, say, config.encoder, config.details)


def _directions(config: AllStages, minutes: float, say: Say) -> None:
    try:
        load_directions(config.generator, generator_sha256=sha256_of(config.generator))
        return
    except CheckpointError:  # none, or of an earlier generator
        pass
    trained, info = load_generator(str(config.generator), config.device)
    found = known_directions(trained, info, config.weights / "mini-directions.safetensors", seed=config.seed)
    say(f"{len(found.shown)} of {len(found.shown) + len(found.left_out)} show")


PARTS = (
    Part("heads", 0.0, _heads),  # an eighth of the budget on two CPU cores: 0.012 and 0.028 s of both a view
    Part("generator", 0.47, _generator),  # bounds all that follows, and gains from all the time it gets
    Part("superresolution", 0.02, _superresolution),  # a few thousand weights
    Part("encoder", 0.26, _encoder),  # its colours learn fast, its camera and depth slowly
    Part("local", 0.08, _local),  # flat after the first minutes
    Part("directions", 0.0, _directions),  # a minute
)
"""All parts in their order. The fractions follow from what held-out metrics gained per minute on two CPU cores, see
``docs/training.md``; what they leave is for heads and metrics."""


def _measure(config: AllStages, stage: str, generator: Path, say: Say, *others: Path) -> None:
    """Measure on the held-out heads, beside the stage's run and with the weights; skipped where that is known.

    ``others`` are what is measured with the generator: nothing, the encoder, or encoder and details.
    """
    models = {path.name: sha256_of(path) for path in (generator, *others)}
    known = config.out / stage / "figures.json"
    if not known.exists() or json.loads(known.read_text(encoding="utf-8"))["sha256"] != models:
        say("measuring on held-out heads")
        model, device = str(generator), config.device
        metrics = evaluate_heads(
            load_generator(model, device)[0],
            load_encoder(model, device)[0] if config.encoder in others else None,
            load_held_out(config.held_out),
            branch=load_details(model, device)[0] if config.details in others else None,
        )
        with atomic_path(known) as temporary:
            temporary.write_text(json.dumps({**metrics, "sha256": models}, indent=2) + "\n", encoding="utf-8")
        say(", ".join(f"{name} {value:.2f}" for name, value in metrics.items() if value is not None))
    ship(known, config.weights / "figures.json")


def _started(config: AllStages, kind: str) -> Path | None:
    """The weights to go on from; all but the generator may be missing."""
    if config.start is None:
        return None
    path = config.start / f"mini-{kind}.safetensors"
    if not path.exists() and kind == "generator":
        raise UsageError(f"{config.start} has no {path.name}", "name a folder of weights, such as OUT/weights")
    return path if path.exists() else None
