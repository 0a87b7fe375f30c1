"""Every stage of ``mini``, from nothing to weights that ship, within a budget of hours.

The stages go one after another, each in a folder of its own below ``out``, each resumable, so a run that was killed
goes on where it was. Their shares of the budget are what two CPU cores showed to be balanced: heads cost 0.02 s of both
cores a view, a generator gains from all the time it gets, and an encoder learns in half of that.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..checkpoints.store import load_encoder, load_generator, sha256_of
from ..editing import discover_directions, save_directions, visible_directions
from ..errors import UsageError
from ..evaluation import build_held_out, evaluate_heads, load_held_out
from ..files import atomic_path
from ..synth.dataset import make_dataset
from ..synth.sampler import HeadSampler
from .encoder import EncoderTraining, train_encoder
from .generator import GeneratorTraining, train_generator
from .loop import Tell
from .mini_model import mini_for_heads
from .superresolution import SuperresolutionTraining, train_superresolution

HEADS_PER_HOUR = 9000
"""Heads to render for each hour of the budget, three views each: a sixth of it on two CPU cores."""
MOST_HEADS = 60_000

GENERATOR_SHARE, SUPERRESOLUTION_SHARE, ENCODER_SHARE = 0.48, 0.03, 0.3


@dataclass(frozen=True)
class AllStages:
    """Settings of a run.

    Args:
        out: Its folder; ``weights/`` in it holds what ships.
        hours: The budget.
        assets: Folder of the MakeHuman assets.
        photos: Unlabelled portraits for the encoder, or none.
        start: Folder of weights to go on from (``mini-generator.safetensors`` and, if there, ``mini-encoder``).
        workers: Processes that render heads.
        compile: Compile the backbone with torch.
        seed: Of everything.
    """

    out: Path
    hours: float
    assets: Path | None = None
    photos: Path | None = None
    start: Path | None = None
    workers: int = 2
    compile: bool = False
    seed: int = 0


Say = Callable[[str], None]


def train_all(config: AllStages, say: Say = lambda text: None) -> Path:
    """Run what is left of the stages.

    Returns:
        The folder of weights: generator, encoder, directions, held-out heads and their figures (``figures.json``).

    Raises:
        UsageError: The budget is too short to make heads, or ``start`` has no weights.
    """
    weights = config.out / "weights"
    weights.mkdir(parents=True, exist_ok=True)
    heads, check, large = _heads(config, say)
    generator = _generator(config, heads, check, large, weights, say)
    _encoder(config, heads, check, generator, weights, say)
    _directions(config, generator, weights, say)
    _figures(config, generator, weights, say)
    return weights


def _heads(config: AllStages, say: Say) -> tuple[Path, Path, Path]:
    count = min(int(HEADS_PER_HOUR * config.hours), MOST_HEADS) // 100 * 100
    if count < 100:
        raise UsageError(f"{config.hours} hours are too short", "half an hour is the least that shows anything")

    def data(name: str, heads: int, views: int, resolution: int, seed: int, *, twins: bool) -> Path:
        def tell(shard: int, shards: int, rate: float) -> None:
            say(f"{name}: shard {shard + 1} of {shards}, {rate:.1f} views a second")

        return make_dataset(
            config.out / name,
            heads,
            views,
            resolution,
            seed,
            config.assets,
            twins=twins,
            workers=config.workers,
            on_shard=tell,
        )

    side = mini_for_heads().neural_resolution
    # seeds of their own, so that no head to check on is trained on
    check = data("check", 60, 2, side, 3 * config.seed + 2_000_001, twins=True)
    large = data("large", 240, 2, 2 * side, 3 * config.seed + 2_000_002, twins=False)
    return data("heads", count, 3, side, 3 * config.seed + 2_000_003, twins=True), check, large


def _generator(config: AllStages, heads: Path, check: Path, large: Path, weights: Path, say: Say) -> Path:
    minutes = 60.0 * config.hours
    settings = GeneratorTraining(
        data=heads,
        validation=check,
        out=config.out / "generator",
        minutes=GENERATOR_SHARE * minutes,
        start=_started(config, "generator"),
        compile=config.compile,
        seed=config.seed,
    )
    trained = train_generator(mini_for_heads(), settings, on_progress=_in_stage("generator", say))
    target = weights / "mini-generator.safetensors"
    if not target.exists() or _base(target) != sha256_of(trained):
        finer = SuperresolutionTraining(
            data=large,
            out=config.out / "superresolution",
            minutes=SUPERRESOLUTION_SHARE * minutes,
            generator=str(trained),
            seed=config.seed,
        )
        best = train_superresolution(finer, on_progress=_in_stage("superresolution", say))
        _ship(best, target)
    return target


def _base(path: Path) -> str:
    """SHA-256 of the generator to which super-resolution was added."""
    base: str = load_generator(str(path))[1].extra["superresolution"]["base_sha256"]
    return base


def _encoder(config: AllStages, heads: Path, check: Path, generator: Path, weights: Path, say: Say) -> None:
    settings = EncoderTraining(
        data=heads,
        validation=check,
        out=config.out / "encoder",
        minutes=ENCODER_SHARE * 60.0 * config.hours,
        start=_started(config, "encoder"),
        generator=str(generator),
        photos=config.photos,
        seed=config.seed,
    )
    best = train_encoder(settings, on_progress=_in_stage("encoder", say))
    _ship(best, weights / "mini-encoder.safetensors")


def _directions(config: AllStages, path: Path, weights: Path, say: Say) -> None:
    generator, info = load_generator(str(path))
    found = discover_directions(generator, HeadSampler().attributes, generator_sha256=info.sha256, seed=config.seed)
    visible = visible_directions(generator, found, seed=config.seed)
    save_directions(weights / "mini-directions.safetensors", visible)
    say(f"directions: {len(visible.names)} of {len(found.names)} show")


def _figures(config: AllStages, path: Path, weights: Path, say: Say) -> None:
    held_out = weights / "heldout-heads.safetensors"
    if not held_out.exists():
        build_held_out(held_out, assets=config.assets)
    figures = evaluate_heads(load_generator(str(path))[0], load_encoder(str(path))[0], load_held_out(held_out))
    with atomic_path(weights / "figures.json") as temporary:
        temporary.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    say("figures: " + ", ".join(f"{name} {value:.2f}" for name, value in figures.items() if value is not None))


def _started(config: AllStages, kind: str) -> Path | None:
    """The weights to go on from; an encoder may be missing, a generator may not."""
    if config.start is None:
        return None
    path = config.start / f"mini-{kind}.safetensors"
    if not path.exists() and kind == "generator":
        raise UsageError(f"{config.start} has no {path.name}", "name a folder of weights, such as OUT/weights")
    return path if path.exists() else None


def _in_stage(stage: str, say: Say) -> Tell:
    return lambda progress, text: say(f"{stage}: {100.0 * progress:5.1f} %  {text}")


def _ship(best: Path, target: Path) -> None:
    with atomic_path(target) as temporary:
        temporary.write_bytes(best.read_bytes())
