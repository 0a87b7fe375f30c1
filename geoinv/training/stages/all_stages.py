"""Every stage of a model on the head mesh, from nothing to weights that ship, within a budget of hours.

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

from ...checkpoints.store import load_details, load_encoder, load_generator_of_planes, model_config, sha256_of
from ...editing import load_directions
from ...editing.effect import LOOKED_AT
from ...errors import CheckpointError, UsageError
from ...evaluation import build_held_out, evaluate_heads, load_held_out
from ...files import atomic_path, only_one_process, remove_leftovers
from ...models.config import GeneratorConfig
from ...models.detail_config import DetailConfig
from ...models.discriminator_config import DiscriminatorConfig
from ...models.encoder_config import EncoderConfig
from ...progress import Say
from ...synth.dataset import make_dataset
from ..data.face_photos import described_photos
from ..data.photo_batches import PhotoCounts
from ..engine.loop import train
from ..engine.record import check_unchanged, versions
from ..engine.run import Run, Steps, Usual
from ..engine.run_folder import RunFolder
from .anchored import AnchoredSettings, AnchoredStage
from .directions import known_directions
from .encoder import EncoderSettings, EncoderStage
from .known_heads import KnownHeads
from .local import LocalSettings, LocalStage
from .mini_model import anchored_for_heads
from .part import earlier, prefixed, reporting, ship, start_over_for
from .stale import details_of_another_encoder

HEADS_PER_HOUR, MOST_HEADS = 1600, 20_000
"""Heads that the generator learns from, for each hour of the budget and at most: one view of the face and one from
anywhere, 1.6 MB each. With those below they take a ninth of the budget on two cores (16 views a second)."""
FACES_PER_HOUR, MOST_FACES = 500, 6000
"""Heads of which encoder and local branch see pictures: three views of the face, twins, 2.4 MB each."""
MORE_HEADS_PER_HOUR, MOST_MORE_HEADS = 2500, 30_000
"""Heads that the encoder sees in one photo, 0.8 MB each: of a few thousand it learns shapes by heart."""


@dataclass(frozen=True)
class Sizes:
    """Amounts of everything that a run makes, and its networks; others than the defaults rehearse a run in minutes.

    Args:
        heads: Heads for the generator; None: by the hours.
        faces: Heads in several views of the face, for encoder and local branch; None: by the hours.
        more_heads: Heads in one view, for the encoder; None: by the hours.
        check_heads: Heads to measure on while training.
        held_out_heads: Heads that the shipped metrics are measured on.
        direction_heads: Heads on which directions are looked at.
        shard_size: Heads in a shard.
        model: The generator.
        encoder: The encoder; None: the default for the generator.
        details: The local branch; None: the default for the generator.
        discriminator: The local branch's discriminator; None: the default.
        known: Heads without pictures that the generator begins with; None: the sampler's.
        generator_settings: Settings of the generator's stage.
        encoder_settings: Settings of the encoder's stage.
        local_settings: Settings of the local branch's stage.
        steps: Budgets in steps by the stage's name, in place of its fraction of the hours.
    """

    heads: int | None = None
    faces: int | None = None
    more_heads: int | None = None
    check_heads: int = 60
    held_out_heads: int = 48
    direction_heads: int = LOOKED_AT
    shard_size: int = 100
    model: GeneratorConfig = field(default_factory=anchored_for_heads)
    encoder: EncoderConfig | None = None
    details: DetailConfig | None = None
    discriminator: DiscriminatorConfig | None = None
    known: KnownHeads | None = None
    # what the shipped weights were made with
    generator_settings: AnchoredSettings = AnchoredSettings(heads_per_step=4, views_per_head=2, rays_per_view=600)
    encoder_settings: EncoderSettings = EncoderSettings(PhotoCounts(photos=32, heads_rendered=4), codes_only=0.5)
    local_settings: LocalSettings = LocalSettings(adversarial_from=1.0)
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
        UsageError: The budget is too short to make heads, ``start`` has no weights or those of tri-planes, the folder's
            run began with another start, seed or other photos, or another run is at work in ``out``.
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
    start = _started(config, "generator")
    found = None if start is None else model_config(start)
    if found is not None and not (isinstance(found, GeneratorConfig) and found.anchor is not None):
        raise UsageError(
            f"the heads of {start} stand on no mesh, and `train all` trains a generator on the head mesh",
            "leave out --from to begin with random weights; `geoinv train generator --from` goes on with tri-planes",
        )


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
    return _by_the_hours(config, HEADS_PER_HOUR, MOST_HEADS)


def _by_the_hours(config: AllStages, per_hour: int, most: int) -> int:
    """Number of heads in whole hundreds."""
    return min(int(per_hour * config.hours), most) // 100 * 100


def _heads(config: AllStages, minutes: float, say: Say) -> None:
    sizes = config.sizes

    def data(
        name: str, heads: int, views: int, seed: int, *, twins: bool = False, around: bool = False, supersample: int = 2
    ) -> None:
        make_dataset(
            config.out / name,
            heads,
            views,
            sizes.model.resolution,
            4 * config.seed + seed,
            config.assets,
            supersample=supersample,
            twins=twins,
            around=around,
            workers=config.workers,
            shard_size=sizes.shard_size,
            on_shard=lambda shard, of, rate: say(f"{name}: shard {shard + 1} of {of}, {rate:.1f} views a second"),
        )

    faces, more = sizes.faces, sizes.more_heads
    if faces is None:
        faces = max(_by_the_hours(config, FACES_PER_HOUR, MOST_FACES), 200)
    if more is None:
        more = max(_by_the_hours(config, MORE_HEADS_PER_HOUR, MOST_MORE_HEADS), 200)
    # seeds of their own, so that no head to check on is trained on
    data("check", sizes.check_heads, 4, 2_000_001, twins=True, around=True)
    data("faces", faces, 3, 2_000_002, twins=True)
    data("more", more, 1, 2_000_003, supersample=1)
    data("heads", _heads_to_render(config), 2, 2_000_004, around=True)
    if not config.held_out.exists():
        say(f"held-out: {sizes.held_out_heads} heads")
        build_held_out(config.held_out, sizes.held_out_heads, assets=config.assets)


def _generator(config: AllStages, minutes: float, say: Say) -> None:
    stage = AnchoredStage(
        config.run("generator", AnchoredStage.usual, minutes),
        config.sizes.model,
        data=config.out / "heads",
        validation=config.out / "check",
        start=_started(config, "generator"),
        settings=config.sizes.generator_settings,
        known=config.sizes.known,
        report=reporting(say),
    )
    ship(train(stage, reporting(say)), config.generator)
    _measure(config, "generator", say)


def _encoder(config: AllStages, minutes: float, say: Say) -> None:
    run = config.run("encoder", EncoderStage.usual, minutes)
    start_over_for(run, {"generator": sha256_of(config.generator)}, say)
    stage = EncoderStage(
        run,
        data=config.out / "faces",
        validation=config.out / "check",
        model=str(config.generator),
        photos=config.photos,
        start=earlier(run) or _started(config, "encoder"),
        settings=config.sizes.encoder_settings,
        config=config.sizes.encoder,
        report=reporting(say),
        more_heads=config.out / "more",
    )
    ship(train(stage, reporting(say)), config.encoder)
    stale = details_of_another_encoder(str(config.generator), config.encoder)
    if stale is not None:
        say(f"{stale} is of another encoder, and of no use until it is trained again")
    _measure(config, "encoder", say, config.encoder)


def _local(config: AllStages, minutes: float, say: Say) -> None:
    run = config.run("local", LocalStage.usual, minutes)
    start_over_for(run, {"generator": sha256_of(config.generator), "encoder": sha256_of(config.encoder)}, say)
    stage = LocalStage(
        run,
        data=config.out / "faces",
        validation=config.out / "check",
        model=str(config.generator),
        photos=config.photos,
        start=earlier(run) or _started(config, "details"),
        settings=config.sizes.local_settings,
        config=config.sizes.details,
        discriminator=config.sizes.discriminator,
    )
    ship(train(stage, reporting(say)), config.details)
    _measure(config, "local", say, config.encoder, config.details)


def _directions(config: AllStages, minutes: float, say: Say) -> None:
    try:
        load_directions(config.generator, generator_sha256=sha256_of(config.generator))
        return
    except CheckpointError:  # none, or of an earlier generator
        pass
    trained, info = load_generator_of_planes(str(config.generator), config.device)
    target, heads = config.weights / "mini-directions.safetensors", config.sizes.direction_heads
    found = known_directions(trained, info, target, heads=heads, seed=config.seed)
    say(f"{len(found.shown)} of {len(found.shown) + len(found.left_out)} show")


PARTS = (
    Part("heads", 0.0, _heads),  # a ninth of the budget on two CPU cores
    Part("generator", 0.40, _generator),  # bounds all that follows, and gains from all the time it gets
    Part("encoder", 0.24, _encoder),  # half of it codes alone, with which most of shape and look is learned
    Part("local", 0.12, _local),  # its steps are the slowest, and the photo's view is nearly all there after a few
    Part("directions", 0.0, _directions),  # minutes
)
"""All parts in their order. The fractions are those of the time that went into the shipped weights, see
``docs/training.md``; what they leave is for heads, for what the generator learns before pictures, and for metrics."""


def _measure(config: AllStages, stage: str, say: Say, *others: Path) -> None:
    """Measure on the held-out heads, beside the stage's run and with the weights; skipped where that is known.

    ``others`` are what is measured with the generator: nothing, the encoder, or encoder and details.
    """
    models = {path.name: sha256_of(path) for path in (config.generator, *others)}
    known = config.out / stage / "figures.json"
    if not known.exists() or json.loads(known.read_text(encoding="utf-8"))["sha256"] != models:
        say("measuring on held-out heads")
        model, device = str(config.generator), config.device
        metrics = evaluate_heads(
            load_generator_of_planes(model, device)[0],
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
