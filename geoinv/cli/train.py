"""``geoinv train``: each stage of training a command, resumable, logged and seeded."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import console
from .options import (
    AssetsOpt,
    DeviceOpt,
    EncoderOpt,
    JsonOpt,
    ModelOpt,
    QuietOpt,
    SeedOpt,
    finite,
    refuse_together,
    refuse_without,
)
from .targets import check_writable
from .train_directions import directions
from .train_stage import given_heads, own_samples, register_own, stage_at_work
from .train_toon import toon

if TYPE_CHECKING:
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
    """Every stage of a model on the head mesh; a killed run goes on. Weights and figures go to OUT/weights.

    With --self: encoder and local branch of any generator, which --model finds them by from then on.
    """
    check_writable(out)
    of_heads = {  # assets may come from the environment, where they disturb nobody
        "--from": start_from is not None,
        "--workers": workers is not None,
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

    where = pick_device(device)
    if own:
        from ..training.stages.own_stages import OwnStages

        samples, own_size = own_samples(new_samples), size or Size.small
        own_run = OwnStages(out, hours, model or "mini", samples, own_size.value, photos, accumulate, seed, where)
        run_own_stages(own_run, json_output=json_output, quiet=quiet)
        return
    from ..training.stages.all_stages import AllStages

    settings = AllStages(out, hours, assets, photos, start_from, workers or 2, seed, where)
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
    register_own(settings.model, settings.shipped("encoder"), "encoder")
    register_own(settings.model, settings.shipped("details"), "details")
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
    with stage_at_work("generator", out, device, json_output=json_output, quiet=quiet) as training:
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
    more_heads: Annotated[
        Path | None,
        typer.Option(
            "--more-heads",
            help="Heads of `geoinv synth dataset --views 1`, to learn codes from: one view is enough.",
            show_default=False,
        ),
    ] = None,
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
    heads = given_heads(data, validation, new_samples, own=own)
    with stage_at_work("encoder", out, device, json_output=json_output, quiet=quiet) as training:
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
            report=training.report,
            more_heads=more_heads,
        )
        best = training.train(stage, "trained an encoder")
        if own and training.is_first:
            register_own(model, best, "encoder")
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
    with stage_at_work("superresolution", out, device, json_output=json_output, quiet=quiet) as training:
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
    heads = given_heads(data, validation, new_samples, own=own)
    with stage_at_work("local", out, device, json_output=json_output, quiet=quiet) as training:
        from ..checkpoints.registry import encoder_file as named_encoder
        from ..training.stages.local import LocalSettings, LocalStage

        stage = LocalStage(
            training.run(LocalStage.usual, minutes, learning_rate, seed, accumulate),
            data=heads,
            validation=validation,
            model=model,
            encoder=None if encoder_file is None else named_encoder(model, encoder_file),
            photos=photos,
            start=start_from,
            settings=LocalSettings(heads_per_step=heads_per_step),
        )
        best = training.train(stage, "trained a local branch")
        if own and training.is_first:
            register_own(model, best, "details")


app.command("toon")(toon)
app.command("directions")(directions)
