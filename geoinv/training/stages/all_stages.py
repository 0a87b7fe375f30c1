"""Every stage of ``mini``, from nothing to weights that ship, within a budget of hours.

The stages go one after another, each in a folder of its own below ``out``, each resumable, so a run that was killed
goes on where it was. A stage is an entry of :data:`STAGES`; what one hands to the next are files.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...checkpoints.store import load_details, load_encoder, load_generator, sha256_of
from ...editing import discover_directions, load_directions, save_directions, visible_directions
from ...errors import CheckpointError, UsageError
from ...evaluation import build_held_out, evaluate_heads, load_held_out
from ...files import atomic_path, only_one_process, remove_leftovers
from ...models.config import GeneratorConfig
from ...synth.dataset import make_dataset
from ...synth.sampler import HeadSampler
from ..engine.loop import Tell
from ..engine.run_folder import RunFolder
from .encoder import EncoderTraining, train_encoder
from .generator import GeneratorTraining, train_generator
from .local import LocalTraining, train_local
from .mini_model import mini_for_heads
from .superresolution import SuperresolutionTraining, train_superresolution

HEADS_PER_HOUR = 7000
"""Heads to render for each hour of the budget, three views each, for the generator: a fifteenth of it on two cores."""
MOST_HEADS = 60_000
LARGE_HEADS_PER_HOUR = 2500
"""Likewise at the final resolution, for encoder and local branch: as long again."""
MOST_LARGE_HEADS = 15_000
"""Of 1.8 MB each."""


@dataclass(frozen=True)
class Sizes:
    """How much of everything a run makes; other than the defaults only to rehearse one in minutes.

    Args:
        heads: To train on; None: by the hours.
        check_heads: To validate on.
        large_heads: At the final resolution; None: by the hours.
        large_check_heads: To validate on, at the final resolution.
        held_out_heads: For the figures.
        shard_size: Heads in a shard.
        model: The generator.
        settings: Of the stages by name, in place of theirs.
    """

    heads: int | None = None
    check_heads: int = 60
    large_heads: int | None = None
    large_check_heads: int = 40
    held_out_heads: int = 48
    shard_size: int = 100
    model: GeneratorConfig = field(default_factory=mini_for_heads)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class AllStages:
    """Settings of a run.

    Args:
        out: Its folder; ``weights/`` in it holds what ships.
        hours: The budget.
        assets: Folder of the MakeHuman assets.
        photos: Unlabelled portraits for the encoder, or none.
        start: Folder of weights to go on from (``mini-generator.safetensors`` and, if there, encoder and details).
        workers: Processes that render heads.
        compile: Compile the backbone with torch.
        seed: Of everything.
        sizes: How much of everything.
    """

    out: Path
    hours: float
    assets: Path | None = None
    photos: Path | None = None
    start: Path | None = None
    workers: int = 2
    compile: bool = False
    seed: int = 0
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
        """The heads that figures are measured on."""
        return self.weights / "heldout-heads.safetensors"


Say = Callable[[str], None]


@dataclass(frozen=True)
class Stage:
    """A part of a run.

    Args:
        name: For people; what it trains lies in a folder of this name.
        share: Of the budget; 0 where it takes what it needs.
        work: Does what is left of it; is given the settings, the minutes that its share makes, and whom to tell.
    """

    name: str
    share: float
    work: Callable[[AllStages, float, Say], None]


def train_all(config: AllStages, say: Say = lambda text: None) -> Path:
    """Run what is left of the stages.

    Returns:
        The folder of weights: generator, encoder, details, directions, held-out heads and figures (``figures.json``).

    Raises:
        UsageError: The budget is too short to make heads, ``start`` has no weights, or another run is at work in
            ``out``.
    """
    _check(config)
    config.weights.mkdir(parents=True, exist_ok=True)
    with only_one_process(config.out):
        remove_leftovers(config.weights)
        for stage in STAGES:
            start = time.monotonic()
            stage.work(config, 60.0 * config.hours * stage.share, _prefixed(stage.name, say))
            pace = RunFolder(config.out / stage.name).pace() if stage.share else None
            took = f"{(time.monotonic() - start) / 60.0:.1f} minutes in this run"
            say(f"{stage.name}: done; " + (f"{pace}; {took}" if pace else took))
    return config.weights


def _check(config: AllStages) -> None:
    if _heads_to_render(config) < 2:
        raise UsageError(f"{config.hours} hours are too short", "half an hour is the least that shows anything")
    _started(config, "generator")


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
    settings = GeneratorTraining(
        data=config.out / "heads",
        validation=config.out / "check",
        out=config.out / "generator",
        minutes=minutes,
        start=_started(config, "generator"),
        compile=config.compile,
        seed=config.seed,
    )
    trained = train_generator(config.sizes.model, _sized(settings, config, "generator"), on_progress=_telling(say))
    _measure(config, "generator", trained, say)


def _superresolution(config: AllStages, minutes: float, say: Say) -> None:
    trained, run = config.out / "generator" / "best.safetensors", RunFolder(config.out / "superresolution")
    _start_over_for(run, sha256_of(trained), say)
    settings = SuperresolutionTraining(
        data=config.out / "large", out=run.path, minutes=minutes, generator=str(trained), seed=config.seed
    )
    best = train_superresolution(_sized(settings, config, "superresolution"), on_progress=_telling(say))
    _ship(best, config.generator)


def _encoder(config: AllStages, minutes: float, say: Say) -> None:
    run = RunFolder(config.out / "encoder")
    _start_over_for(run, sha256_of(config.generator), say)
    settings = EncoderTraining(
        data=config.out / "large",
        validation=config.out / "large-check",
        out=run.path,
        minutes=minutes,
        start=run.earlier if run.earlier.exists() else _started(config, "encoder"),
        generator=str(config.generator),
        photos=config.photos,
        seed=config.seed,
    )
    best = train_encoder(_sized(settings, config, "encoder"), on_progress=_telling(say))
    _ship(best, config.encoder)
    _measure(config, "encoder", config.generator, say, config.encoder)


def _local(config: AllStages, minutes: float, say: Say) -> None:
    run = RunFolder(config.out / "local")
    _start_over_for(run, sha256_of(config.generator) + sha256_of(config.encoder), say)
    settings = LocalTraining(
        data=config.out / "large",
        validation=config.out / "large-check",
        out=run.path,
        minutes=minutes,
        start=run.earlier if run.earlier.exists() else _started(config, "details"),
        model=str(config.generator),
        photos=config.photos,
        seed=config.seed,
    )
    best = train_local(_sized(settings, config, "local"), on_progress=_telling(say))
    _ship(best, config.details)
    _measure(config, "local", config.generator, say, config.encoder, config.details)


def _directions(config: AllStages, minutes: float, say: Say) -> None:
    sha256 = sha256_of(config.generator)
    try:
        load_directions(config.generator, generator_sha256=sha256)
        return
    except CheckpointError:  # none, or of an earlier generator
        pass
    generator, _ = load_generator(str(config.generator))
    found = discover_directions(generator, HeadSampler().attributes, generator_sha256=sha256, seed=config.seed)
    visible = visible_directions(generator, found, seed=config.seed)
    save_directions(config.weights / "mini-directions.safetensors", visible)
    say(f"{len(visible.names)} of {len(found.names)} show")


STAGES = (
    Stage("heads", 0.0, _heads),  # an eighth of the budget on two CPU cores: 0.012 and 0.028 s of both a view
    Stage("generator", 0.47, _generator),  # bounds all that follows, and gains from all the time it gets
    Stage("superresolution", 0.02, _superresolution),  # a few thousand weights
    Stage("encoder", 0.26, _encoder),  # its colours learn fast, its camera and depth slowly
    Stage("local", 0.08, _local),  # flat after the first minutes
    Stage("directions", 0.0, _directions),  # a minute
)
"""In their order. The shares follow from what held-out figures gained per minute on two CPU cores, see
``docs/training.md``; what they leave is for heads and figures."""


def _measure(config: AllStages, stage: str, generator: Path, say: Say, *others: Path) -> None:
    """Figures on the held-out heads, beside the stage's run and with the weights; skipped where they are known.

    ``others`` are what is measured with the generator: nothing, the encoder, or encoder and details.
    """
    models = {path.name: sha256_of(path) for path in (generator, *others)}
    known = config.out / stage / "figures.json"
    if not known.exists() or json.loads(known.read_text(encoding="utf-8"))["sha256"] != models:
        say("measuring on held-out heads")
        encoder = load_encoder(str(generator))[0] if config.encoder in others else None
        branch = load_details(str(generator))[0] if config.details in others else None
        figures = evaluate_heads(
            load_generator(str(generator))[0],
            encoder,
            load_held_out(config.held_out),
            branch=branch,
        )
        with atomic_path(known) as temporary:
            temporary.write_text(json.dumps({**figures, "sha256": models}, indent=2) + "\n", encoding="utf-8")
        say(", ".join(f"{name} {value:.2f}" for name, value in figures.items() if value is not None))
    _ship(known, config.weights / "figures.json")


def _started(config: AllStages, kind: str) -> Path | None:
    """The weights to go on from; all but the generator may be missing."""
    if config.start is None:
        return None
    path = config.start / f"mini-{kind}.safetensors"
    if not path.exists() and kind == "generator":
        raise UsageError(f"{config.start} has no {path.name}", "name a folder of weights, such as OUT/weights")
    return path if path.exists() else None


def _start_over_for(run: RunFolder, base: str, say: Say) -> None:
    """Begin a stage anew if what it builds on has learned more since, as it does in a larger budget."""
    state = run.load_state()
    if state is not None and state.get("base", "") not in ("", base):
        say("what it builds on has changed: starting over")
        run.start_over()


def _sized(settings: Any, config: AllStages, stage: str) -> Any:
    return replace(settings, **config.sizes.settings.get(stage, {}))


def _prefixed(stage: str, say: Say) -> Say:
    return lambda text: say(f"{stage}: {text}")


def _telling(say: Say) -> Tell:
    return lambda progress, text: say(f"{100.0 * progress:5.1f} %  {text}")


def _ship(best: Path, target: Path) -> None:
    with atomic_path(target, durable=True) as temporary:
        temporary.write_bytes(best.read_bytes())
