"""``geoinv train``: each stage of training a command, resumable, logged and seeded."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from . import output
from .options import AssetsOpt, JsonOpt, ModelOpt, QuietOpt, SeedOpt
from .outputs import check_writable

app = typer.Typer(
    help="Train a model of your own: generator, encoder, directions.", no_args_is_help=True, rich_markup_mode=None
)

DataOpt = Annotated[Path, typer.Option("--data", help="Folder of `geoinv synth dataset`; may still be growing.")]
ValidationOpt = Annotated[Path, typer.Option("--validation", help="The same, of another seed: never trained on.")]
RunOpt = Annotated[Path, typer.Option("--out", "-o", help="Folder of the run; an earlier run in it goes on.")]
StartOpt = Annotated[Path | None, typer.Option("--from", help="Weights to go on from, instead of random ones.")]
PhotosOpt = Annotated[Path | None, typer.Option("--photos", help="Unlabelled portraits, to read real photos better.")]
CompileOpt = Annotated[bool, typer.Option("--compile", help="Compile the backbone with torch.")]
MinutesOpt = Annotated[float, typer.Option("--minutes", min=0.0, help="Training time, over all resumed runs.")]


@app.command("all")
def all_stages(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run; an earlier run in it goes on.")] = Path(
        "runs/all"
    ),
    hours: Annotated[float, typer.Option("--hours", min=0.0, help="For all stages together.")] = 4.0,
    start_from: Annotated[
        Path | None, typer.Option("--from", help="Folder of weights to go on from (`weights` of an earlier run).")
    ] = None,
    photos: PhotosOpt = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes that render heads.")] = 2,
    compile_backbone: CompileOpt = False,
    assets: AssetsOpt = None,
    seed: SeedOpt = 0,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Every stage from nothing, heads included; a killed run goes on. Weights and figures go to OUT/weights."""
    output.set_quiet(quiet)
    start = time.perf_counter()
    check_writable(out)

    from ..synth.assets import find_assets
    from ..training.all_stages import AllStages, train_all

    find_assets(assets)
    settings = AllStages(out, hours, assets, photos, start_from, workers, compile_backbone, seed)
    weights = train_all(settings, output.talk)
    files = sorted(weights.iterdir())
    values = {"weights": weights, "files": files, "seconds": round(time.perf_counter() - start, 3)}
    output.print_result(f"trained every stage in {hours:g} hours", values, files, as_json=json_output)


@app.command("generator")
def generator(
    data: DataOpt,
    validation: ValidationOpt,
    out: RunOpt = Path("runs/generator"),
    minutes: MinutesOpt = 60.0,
    start_from: StartOpt = None,
    heads_per_step: Annotated[int, typer.Option("--heads-per-step", min=1, help="Heads in a step.")] = 8,
    views_per_head: Annotated[int, typer.Option("--views-per-head", min=1, help="Views of each.")] = 3,
    rays_per_view: Annotated[int, typer.Option("--rays-per-view", min=1, help="Rays through each.")] = 400,
    learning_rate: Annotated[float, typer.Option("--learning-rate", min=0.0, help="Its peak.")] = 2e-3,
    compile_backbone: CompileOpt = False,
    seed: SeedOpt = 0,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Teach the generator the heads of a data set: log, plot, samples and the best weights go to --out."""
    output.set_quiet(quiet)
    start = time.perf_counter()
    check_writable(out)

    from ..training.generator import GeneratorTraining, train_generator
    from ..training.mini_model import mini_for_heads
    from ..training.processes import joined_processes

    settings = GeneratorTraining(
        data=data,
        validation=validation,
        out=out,
        minutes=minutes,
        start=start_from,
        heads_per_step=heads_per_step,
        views_per_head=views_per_head,
        rays_per_view=rays_per_view,
        learning_rate=learning_rate,
        compile=compile_backbone,
        seed=seed,
    )
    with joined_processes():
        best = train_generator(mini_for_heads(), settings, on_progress=_tell)
    values = {"weights": best, "run": out, "seconds": round(time.perf_counter() - start, 3)}
    output.print_result("trained a generator", values, [best], as_json=json_output)


@app.command("encoder")
def encoder(
    data: DataOpt,
    validation: ValidationOpt,
    out: RunOpt = Path("runs/encoder"),
    model: ModelOpt = "mini",
    minutes: MinutesOpt = 60.0,
    start_from: StartOpt = None,
    photos: PhotosOpt = None,
    photos_per_step: Annotated[int, typer.Option("--photos-per-step", min=1, help="Heads in a step.")] = 24,
    rays_per_view: Annotated[int, typer.Option("--rays-per-view", min=1, help="Rays through each.")] = 400,
    learning_rate: Annotated[float, typer.Option("--learning-rate", min=0.0, help="Its peak.")] = 1e-3,
    seed: SeedOpt = 0,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Teach the encoder of a generator to find codes and cameras of the heads of a data set."""
    output.set_quiet(quiet)
    start = time.perf_counter()
    check_writable(out)

    from ..training.encoder import EncoderTraining, train_encoder
    from ..training.processes import joined_processes

    settings = EncoderTraining(
        data=data,
        validation=validation,
        out=out,
        minutes=minutes,
        start=start_from,
        generator=model,
        photos=photos,
        photos_per_step=photos_per_step,
        rays_per_view=rays_per_view,
        learning_rate=learning_rate,
        seed=seed,
    )
    with joined_processes():
        best = train_encoder(settings, on_progress=_tell)
    values = {"weights": best, "run": out, "seconds": round(time.perf_counter() - start, 3)}
    output.print_result("trained an encoder", values, [best], as_json=json_output)


@app.command("superresolution")
def superresolution(
    data: DataOpt,
    out: RunOpt = Path("runs/superresolution"),
    model: ModelOpt = "mini",
    minutes: MinutesOpt = 5.0,
    seed: SeedOpt = 0,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Teach the generator's last step, from its ray grid to the final picture; --data at the final resolution."""
    output.set_quiet(quiet)
    start = time.perf_counter()
    check_writable(out)

    from ..training.superresolution import SuperresolutionTraining, train_superresolution

    settings = SuperresolutionTraining(data=data, out=out, minutes=minutes, generator=model, seed=seed)
    best = train_superresolution(settings, on_progress=_tell)
    values = {"weights": best, "run": out, "seconds": round(time.perf_counter() - start, 3)}
    output.print_result("trained super-resolution", values, [best], as_json=json_output)


@app.command("directions")
def directions(
    model: ModelOpt = "mini",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File; by default beside the generator.")] = None,
    seed: SeedOpt = 0,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Find the edit directions of a generator of synthetic heads, from what its z means."""
    output.set_quiet(quiet)
    start = time.perf_counter()

    from ..checkpoints.store import load_generator
    from ..editing import discover_directions, save_directions
    from ..editing.directions import directions_path
    from ..errors import UsageError
    from ..synth.sampler import HeadSampler

    target = out or directions_path(model)
    check_writable(target.parent)
    generator, info = load_generator(model)
    sampler = HeadSampler()
    if generator.config.z_dim != sampler.z_dim:
        raise UsageError(
            f"model {model!r} was not trained on these synthetic heads: its z has {generator.config.z_dim} numbers",
            f"the heads' has {sampler.z_dim}",
        )
    found = discover_directions(generator, sampler.attributes, generator_sha256=info.sha256, seed=seed)
    save_directions(target, found)
    values = {"directions": target, "attributes": list(found.names), "seconds": round(time.perf_counter() - start, 3)}
    output.print_result(f"found {len(found.names)} directions", values, [target], as_json=json_output)


def _tell(progress: float, text: str) -> None:
    output.talk(f"{100.0 * progress:5.1f} %  {text}")
