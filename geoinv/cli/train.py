"""``geoinv train``: each stage of training a command, resumable, logged and seeded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from . import console
from .options import (
    AssetsOpt,
    DeviceOpt,
    EncoderOpt,
    JsonOpt,
    ModelOpt,
    OverwriteOpt,
    QuietOpt,
    SeedOpt,
    finite,
    refuse_together,
    refuse_without,
)
from .targets import check_writable

if TYPE_CHECKING:
    import torch

    from ..training.data.own_samples import OwnSettings
    from ..training.engine.run import Run, Stage, Usual
    from ..training.stages.all_stages import AllStages
    from ..training.stages.own_stages import OwnStages


class Size(str, Enum):
    """Sizes of encoders."""

    small = "small"
    large = "large"


app = typer.Typer(
    help="Train a model of your own: generator, encoder, directions.", no_args_is_help=True, rich_markup_mode=None
)

_DATA = "Folder of `geoinv synth dataset`; may still be growing."
_VALIDATION = "The same, of another seed: never trained on."
DataOpt = Annotated[Path, typer.Option("--data", help=_DATA)]
ValidationOpt = Annotated[Path, typer.Option("--validation", help=_VALIDATION)]
HeadsOpt = Annotated[Path | None, typer.Option("--data", help=_DATA, show_default=False)]
HeldOutOpt = Annotated[Path | None, typer.Option("--validation", help=_VALIDATION, show_default=False)]
SelfOpt = Annotated[
    bool, typer.Option("--self", help="Train on the generator's own samples instead of --data: any generator can.")
]
NewSamplesOpt = Annotated[
    int | None,
    typer.Option(
        "--new-samples", min=1, help="Of --self: new samples in a step; fewer save rendering.", show_default="4"
    ),
]
AccumulateOpt = Annotated[
    int, typer.Option("--accumulate", min=1, help="Batches to a step, where memory is short for larger ones.")
]
RunOpt = Annotated[Path, typer.Option("--out", "-o", help="Folder of the run; an earlier run in it goes on.")]
StartOpt = Annotated[Path | None, typer.Option("--from", help="Weights to go on from, instead of random ones.")]
PhotosOpt = Annotated[Path | None, typer.Option("--photos", help="Unlabelled portraits, to read real photos better.")]
CompileOpt = Annotated[bool, typer.Option("--compile", help="Compile the backbone with torch.")]
MinutesOpt = Annotated[
    float, typer.Option("--minutes", min=0.0, callback=finite, help="Training time, over all resumed runs.")
]
RateOpt = Annotated[float, typer.Option("--learning-rate", min=0.0, callback=finite, help="The highest learning rate.")]


@app.command("all")
def all_stages(
    out: RunOpt = Path("runs/all"),
    hours: Annotated[float, typer.Option("--hours", min=0.0, callback=finite, help="For all stages together.")] = 4.0,
    start_from: Annotated[
        Path | None, typer.Option("--from", help="Folder of weights to go on from (`weights` of an earlier run).")
    ] = None,
    photos: PhotosOpt = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes that render heads.", show_default="2")
    ] = None,
    compile_backbone: CompileOpt = False,
    assets: AssetsOpt = None,
    own: Annotated[
        bool, typer.Option("--self", help="Encoder and local branch alone, of any --model, from its own samples.")
    ] = False,
    model: Annotated[
        str | None, typer.Option("--model", help="Of --self: a generator by name or file.", show_default="mini")
    ] = None,
    size: Annotated[
        Size | None, typer.Option("--size", help="Of --self: size of the encoder.", show_default="small")
    ] = None,
    new_samples: NewSamplesOpt = None,
    accumulate: AccumulateOpt = 1,
    device: DeviceOpt = "auto",
    seed: SeedOpt = 0,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Every stage from nothing, heads included; a killed run goes on. Weights and figures go to OUT/weights.

    With --self: encoder and local branch of any generator.
    """
    check_writable(out)
    of_heads = {  # assets may come from the environment, where they disturb nobody
        "--from": start_from is not None,
        "--workers": workers is not None,
        "--compile": compile_backbone,
    }
    of_own = {
        "--model": model is not None,
        "--size": size is not None,
        "--new-samples": new_samples is not None,
        "--accumulate": accumulate > 1,
    }
    refuse_together("--self", of_heads if own else {}, "own samples need no heads")
    refuse_without("--self", {} if own else of_own, "without it, mini is trained on heads")
    from ..loaded_models import pick_device
    from ..training.stages.all_stages import AllStages

    where = pick_device(device)
    if own:
        from ..training.data.own_samples import OwnSettings
        from ..training.stages.own_stages import OwnStages

        samples = OwnSettings() if new_samples is None else OwnSettings(new_samples)
        size_name: Literal["small", "large"] = "large" if size is Size.large else "small"
        run_own_stages(
            OwnStages(
                out,
                hours,
                model or "mini",
                samples,
                size_name,
                photos,
                accumulate,
                seed,
                where,
            ),
            json_output=json_output,
            quiet=quiet,
        )
        return
    settings = AllStages(out, hours, assets, photos, start_from, workers or 2, compile_backbone, seed, where)
    run_all_stages(settings, json_output=json_output, quiet=quiet)


def run_own_stages(settings: OwnStages, *, json_output: bool = False, quiet: bool = False) -> None:
    """Train encoder and local branch of a generator on its own samples and print the result.

    Args:
        settings: Settings of the run.
        json_output: Whether to print one JSON object.
        quiet: Whether to say nothing on stderr.
    """
    from ..training.stages.own_stages import train_own

    run = console.command(quiet, json_output)
    weights = train_own(settings, console.talk)
    files = sorted(weights.iterdir())
    record = {"weights": weights, "files": files, "model": settings.shipped("generator")}
    summary = f"trained encoder and local branch; use them with --model {settings.shipped('generator')}"
    run.result(summary, record, files, device=settings.device)


def run_all_stages(settings: AllStages, *, json_output: bool = False, quiet: bool = False) -> None:
    """Train every stage and print the result.

    Args:
        settings: Settings of the run.
        json_output: Whether to print one JSON object.
        quiet: Whether to say nothing on stderr.
    """
    from ..synth.assets import find_assets
    from ..training.stages.all_stages import train_all

    run = console.command(quiet, json_output)
    find_assets(settings.assets)
    weights = train_all(settings, console.talk)
    files = sorted(weights.iterdir())
    record = {"weights": weights, "files": files}
    run.result(f"trained every stage in {settings.hours:g} hours", record, files, device=settings.device)


@app.command("generator")
def generator(
    data: DataOpt,
    validation: ValidationOpt,
    out: RunOpt = Path("runs/generator"),
    minutes: MinutesOpt = 60.0,
    start_from: StartOpt = None,
    keep_codes: Annotated[
        bool, typer.Option("--keep-codes", help="Leave the mapping: an encoder and directions go on fitting.")
    ] = False,
    twin_pairs: Annotated[
        int, typer.Option("--twin-pairs", min=0, help="Most pairs of twins among the heads, for expressions.")
    ] = 2,
    heads_per_step: Annotated[int, typer.Option("--heads-per-step", min=1, help="Heads in a step.")] = 8,
    views_per_head: Annotated[int, typer.Option("--views-per-head", min=1, help="Views of each.")] = 3,
    rays_per_view: Annotated[int, typer.Option("--rays-per-view", min=1, help="Rays through each.")] = 400,
    learning_rate: RateOpt = 2e-3,
    compile_backbone: CompileOpt = False,
    anchored: Annotated[
        bool, typer.Option("--anchored", help="The generator on the head mesh; data of `synth dataset --around`.")
    ] = False,
    device: DeviceOpt = "auto",
    seed: SeedOpt = 0,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Teach the generator the heads of a data set: log, plot, samples and the best weights go to --out."""
    with _stage("generator", out, device, json_output=json_output, quiet=quiet) as training:
        if anchored:
            if keep_codes or compile_backbone:
                from ..errors import UsageError

                raise UsageError("--keep-codes and --compile are not for the generator on the head mesh")
            from ..training.stages.anchored import AnchoredSettings, AnchoredStage
            from ..training.stages.mini_model import anchored_for_heads

            on_mesh = AnchoredStage(
                training.run(AnchoredStage.usual, minutes, learning_rate, seed),
                anchored_for_heads(),
                data=data,
                validation=validation,
                start=start_from,
                settings=AnchoredSettings(
                    heads_per_step=heads_per_step, views_per_head=views_per_head, rays_per_view=rays_per_view
                ),
                report=training.report,
            )
            training.train(on_mesh, "trained a generator on the head mesh")
            return
        from ..training.stages.generator import GeneratorSettings, GeneratorStage
        from ..training.stages.mini_model import mini_for_heads

        settings = GeneratorSettings(
            keep_codes=keep_codes,
            heads_per_step=heads_per_step,
            twin_pairs_per_step=twin_pairs,
            views_per_head=views_per_head,
            rays_per_view=rays_per_view,
        )
        stage = GeneratorStage(
            training.run(GeneratorStage.usual, minutes, learning_rate, seed),
            mini_for_heads(),
            data=data,
            validation=validation,
            start=start_from,
            settings=settings,
            compile_backbone=compile_backbone,
            report=training.report,
        )
        training.train(stage, "trained a generator")


@app.command("encoder")
def encoder(
    data: HeadsOpt = None,
    validation: HeldOutOpt = None,
    own: SelfOpt = False,
    new_samples: NewSamplesOpt = None,
    size: Annotated[Size, typer.Option("--size", help="small is for any computer, large for a GPU.")] = Size.small,
    out: RunOpt = Path("runs/encoder"),
    model: ModelOpt = "mini",
    minutes: MinutesOpt = 60.0,
    start_from: StartOpt = None,
    photos: PhotosOpt = None,
    photos_per_step: Annotated[int, typer.Option("--photos-per-step", min=2, help="Heads in a step.")] = 24,
    rays_per_view: Annotated[int, typer.Option("--rays-per-view", min=1, help="Rays through each.")] = 400,
    accumulate: AccumulateOpt = 1,
    learning_rate: RateOpt = 1e-3,
    no_geometry: Annotated[
        bool, typer.Option("--no-geometry", help="Without all that tells shapes: for `geoinv eval --ablation`.")
    ] = False,
    device: DeviceOpt = "auto",
    seed: SeedOpt = 0,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Teach the encoder of a generator to find codes and cameras of heads; heads of 256 px tell cameras best."""
    heads = _heads(data, validation, new_samples, own=own)
    with _stage("encoder", out, device, json_output=json_output, quiet=quiet) as training:
        from ..training.data.photo_batches import PhotoCounts
        from ..training.stages.encoder import EncoderSettings, EncoderStage
        from ..training.stages.stale import details_of_another_encoder

        # one of the photos is the generator's own sample, if not all are
        photos_drawn = photos_per_step if own else photos_per_step - 1
        counts = PhotoCounts(photos=photos_drawn, rays_per_view=rays_per_view)
        stage = EncoderStage(
            training.run(EncoderStage.usual, minutes, learning_rate, seed, accumulate),
            data=heads,
            validation=validation,
            model=model,
            photos=photos,
            start=start_from,
            settings=EncoderSettings(counts=counts, with_geometry=not no_geometry),
            size=size.value,
        )
        best = training.train(stage, "trained an encoder")
        stale = details_of_another_encoder(model, best)
        if stale is not None and training.is_first:
            console.warn(
                f"{stale} was trained for another encoder: with the new one, train it again (geoinv train local)"
            )


@app.command("superresolution")
def superresolution(
    data: DataOpt,
    out: RunOpt = Path("runs/superresolution"),
    model: ModelOpt = "mini",
    minutes: MinutesOpt = 5.0,
    device: DeviceOpt = "auto",
    seed: SeedOpt = 0,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Teach the generator's last step, from its ray grid to the final picture; --data at the final resolution."""
    with _stage("superresolution", out, device, json_output=json_output, quiet=quiet) as training:
        from ..training.stages.superresolution import SuperresolutionStage

        run = training.run(SuperresolutionStage.usual, minutes, None, seed)
        training.train(SuperresolutionStage(run, data=data, model=model), "trained super-resolution")


@app.command("local")
def local(
    data: HeadsOpt = None,
    validation: HeldOutOpt = None,
    own: SelfOpt = False,
    new_samples: NewSamplesOpt = None,
    encoder_file: EncoderOpt = None,
    out: RunOpt = Path("runs/local"),
    model: ModelOpt = "mini",
    minutes: MinutesOpt = 60.0,
    start_from: StartOpt = None,
    photos: PhotosOpt = None,
    heads_per_step: Annotated[int, typer.Option("--heads-per-step", min=1, help="Heads in a step.")] = 3,
    accumulate: AccumulateOpt = 1,
    learning_rate: RateOpt = 1e-3,
    device: DeviceOpt = "auto",
    seed: SeedOpt = 0,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Teach the local branch of a generator and its encoder to add what their heads lack; heads of full resolution."""
    heads = _heads(data, validation, new_samples, own=own)
    with _stage("local", out, device, json_output=json_output, quiet=quiet) as training:
        from ..training.stages.local import LocalSettings, LocalStage

        stage = LocalStage(
            training.run(LocalStage.usual, minutes, learning_rate, seed, accumulate),
            data=heads,
            validation=validation,
            model=model,
            encoder=encoder_file,
            photos=photos,
            start=start_from,
            settings=LocalSettings(heads_per_step=heads_per_step),
        )
        training.train(stage, "trained a local branch")


@dataclass(frozen=True)
class _Training:
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


def _heads(data: Path | None, validation: Path | None, new_samples: int | None, *, own: bool) -> Path | OwnSettings:
    """The heads that the options ask for.

    Raises:
        UsageError: Neither or both kinds of heads, or a data set without others to measure on.
    """
    from ..errors import UsageError
    from ..training.data.own_samples import OwnSettings

    if own:
        given = {"--data": data is not None, "--validation": validation is not None}
        refuse_together("--self", given, "own samples need no data set")
        return OwnSettings() if new_samples is None else OwnSettings(new_samples)
    refuse_without("--self", {"--new-samples": new_samples is not None}, "a data set has the heads that it has")
    if data is None or validation is None:
        raise UsageError("no heads to train on", "give --data and --validation, or --self for the generator's samples")
    return data


@contextmanager
def _stage(name: str, out: Path, device: str, *, json_output: bool, quiet: bool) -> Iterator[_Training]:
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
        yield _Training(out, where, command, rank() == 0)


@app.command("directions")
def directions(
    model: ModelOpt = "mini",
    attribute: Annotated[
        str | None,
        typer.Option(
            "--attr",
            help="Learn this one from the generator's samples: smile, age, gender, mouth-open, ...; or from --labels.",
            show_default="all that z means",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            help="Pictures with (or a number of) --attr: CSV lines `picture,number`, or folders `with` and `without`.",
            show_default=False,
        ),
    ] = None,
    samples: Annotated[int, typer.Option("--samples", min=40, help="Heads to score for --attr.")] = 400,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File; by default beside the generator.")] = None,
    device: DeviceOpt = "auto",
    seed: SeedOpt = 0,
    overwrite: OverwriteOpt = False,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Find edit directions: all of a generator of synthetic heads, or with --attr one of any generator of faces."""
    run = console.command(quiet, json_output)
    from ..editing.directions import directions_path
    from ..errors import UsageError

    target = out or directions_path(model)
    check_writable(target.parent)
    if attribute is not None:
        record = _learned_direction(model, attribute, labels, samples, target, device, seed, overwrite=overwrite)
        gain = "" if record["score_gain"] is None else f", score {record['score_gain']:+.2f}"
        summary = (
            f"{attribute}: {100 * record['accuracy']:.0f} % of unseen heads on the right side; strength 1 moves "
            f"identity by {record['identity_drift']:.2f}{gain}"
        )
    elif labels is not None:
        raise UsageError("--labels needs a name for what they say", "for instance --attr smile")
    else:
        record = _known_directions(model, target, device, seed)
        summary = f"found {len(record['attributes'])} directions that show, {len(record['left_out'])} that do not"
    run.result(summary, record, [target])


def _known_directions(model: str, target: Path, device: str, seed: int) -> dict[str, Any]:
    """Find the directions of a generator of synthetic heads, from what its z means; returns the record."""
    from ..checkpoints.store import load_generator
    from ..loaded_models import pick_device
    from ..synth.sampler import HeadSampler
    from ..training.stages.directions import known_directions

    generator, info = load_generator(model, pick_device(device))
    with console.progress("looking at directions", len(HeadSampler().attributes)) as update:
        found = known_directions(generator, info, target, seed=seed, on_direction=update)
    return {"directions": target, "attributes": list(found.shown), "left_out": list(found.left_out)}


def _learned_direction(
    model: str,
    attribute: str,
    labels: Path | None,
    samples: int,
    target: Path,
    device: str,
    seed: int,
    *,
    overwrite: bool,
) -> dict[str, Any]:
    """Learn one direction, put it among those that the file has; returns the record."""
    from ..editing.labels import read_labels
    from ..editing.scores import score_named
    from ..errors import PhotoError
    from ..session import Session
    from ..training.stages.directions import learned_direction

    labelled = [] if labels is None else read_labels(labels)
    score = score_named(attribute) if labels is None else None
    session = Session.load(model, device, seed)

    def skip(path: Path, error: PhotoError) -> None:
        console.warn(f"{path}: {error.message}")

    label, total = ("inverting", len(labelled)) if score is None else (f"scoring {attribute}", samples)
    with console.progress(label, total) as update:
        name, learned = learned_direction(
            session,
            attribute,
            target,
            score=score,
            labelled=labelled,
            samples=samples,
            overwrite=overwrite,
            on_head=update,
            on_skip=skip,
        )
    return {
        "directions": target,
        "attribute": name,
        "heads": learned.heads,
        "accuracy": round(learned.accuracy, 4),
        "identity_drift": round(learned.identity_drift, 4),
        "score_gain": None if learned.score_gain is None else round(learned.score_gain, 4),
    }
