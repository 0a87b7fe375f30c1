"""``geoinv train``: each stage of training a command, resumable, logged and seeded."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from . import console
from .options import AssetsOpt, DeviceOpt, JsonOpt, ModelOpt, OverwriteOpt, QuietOpt, SeedOpt
from .targets import check_writable

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
    console.set_quiet(quiet)
    start = time.perf_counter()
    check_writable(out)

    from ..synth.assets import find_assets
    from ..training.stages.all_stages import AllStages, train_all

    find_assets(assets)
    settings = AllStages(out, hours, assets, photos, start_from, workers, compile_backbone, seed)
    weights = train_all(settings, console.talk)
    files = sorted(weights.iterdir())
    values = {"weights": weights, "files": files, "seconds": round(time.perf_counter() - start, 3)}
    console.print_result(f"trained every stage in {hours:g} hours", values, files, as_json=json_output)


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
        int, typer.Option("--twin-pairs", min=0, help="Pairs of twins among the heads, for expressions.")
    ] = 2,
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
    console.set_quiet(quiet)
    start = time.perf_counter()
    check_writable(out)

    from ..training.engine.processes import joined_processes
    from ..training.stages.generator import GeneratorTraining, train_generator
    from ..training.stages.mini_model import mini_for_heads

    settings = GeneratorTraining(
        data=data,
        validation=validation,
        out=out,
        minutes=minutes,
        start=start_from,
        keep_codes=keep_codes,
        twin_pairs_per_step=twin_pairs,
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
    console.print_result("trained a generator", values, [best], as_json=json_output)


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
    no_geometry: Annotated[
        bool, typer.Option("--no-geometry", help="Without all that tells shapes: for `geoinv eval --ablation`.")
    ] = False,
    seed: SeedOpt = 0,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Teach the encoder of a generator to find codes and cameras of heads; heads of 256 px tell cameras best."""
    console.set_quiet(quiet)
    start = time.perf_counter()
    check_writable(out)

    from ..training.engine.processes import joined_processes
    from ..training.stages.encoder import EncoderTraining, train_encoder

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
        with_geometry=not no_geometry,
        seed=seed,
    )
    with joined_processes():
        best = train_encoder(settings, on_progress=_tell)
    values = {"weights": best, "run": out, "seconds": round(time.perf_counter() - start, 3)}
    console.print_result("trained an encoder", values, [best], as_json=json_output)


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
    console.set_quiet(quiet)
    start = time.perf_counter()
    check_writable(out)

    from ..training.stages.superresolution import SuperresolutionTraining, train_superresolution

    settings = SuperresolutionTraining(data=data, out=out, minutes=minutes, generator=model, seed=seed)
    best = train_superresolution(settings, on_progress=_tell)
    values = {"weights": best, "run": out, "seconds": round(time.perf_counter() - start, 3)}
    console.print_result("trained super-resolution", values, [best], as_json=json_output)


@app.command("local")
def local(
    data: DataOpt,
    validation: ValidationOpt,
    out: RunOpt = Path("runs/local"),
    model: ModelOpt = "mini",
    minutes: MinutesOpt = 60.0,
    start_from: StartOpt = None,
    photos: PhotosOpt = None,
    heads_per_step: Annotated[int, typer.Option("--heads-per-step", min=1, help="Heads in a step.")] = 3,
    learning_rate: Annotated[float, typer.Option("--learning-rate", min=0.0, help="Its peak.")] = 1e-3,
    seed: SeedOpt = 0,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Teach the local branch of a generator and its encoder to add what their heads lack; heads of full resolution."""
    console.set_quiet(quiet)
    start = time.perf_counter()
    check_writable(out)

    from ..training.engine.processes import joined_processes
    from ..training.stages.local import LocalTraining, train_local

    settings = LocalTraining(
        data=data,
        validation=validation,
        out=out,
        minutes=minutes,
        start=start_from,
        model=model,
        photos=photos,
        heads_per_step=heads_per_step,
        learning_rate=learning_rate,
        seed=seed,
    )
    with joined_processes():
        best = train_local(settings, on_progress=_tell)
    values = {"weights": best, "run": out, "seconds": round(time.perf_counter() - start, 3)}
    console.print_result("trained a local branch", values, [best], as_json=json_output)


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
    console.set_quiet(quiet)
    start = time.perf_counter()

    from ..editing.directions import directions_path
    from ..errors import UsageError

    target = out or directions_path(model)
    check_writable(target.parent)
    if attribute is not None:
        values = _learned_direction(model, attribute, labels, samples, target, device, seed, overwrite=overwrite)
        gain = "" if values["score_gain"] is None else f", score {values['score_gain']:+.2f}"
        summary = (
            f"{attribute}: {100 * values['accuracy']:.0f} % of unseen heads on the right side; strength 1 moves "
            f"identity by {values['identity_drift']:.2f}{gain}"
        )
    elif labels is not None:
        raise UsageError("--labels needs a name for what they say", "for instance --attr smile")
    else:
        values = _known_directions(model, target, seed)
        summary = f"found {len(values['attributes'])} directions that show, {len(values['left_out'])} that do not"
    values["seconds"] = round(time.perf_counter() - start, 3)
    console.print_result(summary, values, [target], as_json=json_output)


def _known_directions(model: str, target: Path, seed: int) -> dict[str, Any]:
    """The directions of a generator of synthetic heads, from what its z means."""
    from ..checkpoints.store import load_generator
    from ..editing import discover_directions, save_directions, visible_directions
    from ..errors import UsageError
    from ..synth.sampler import HeadSampler

    generator, info = load_generator(model)
    sampler = HeadSampler()
    if generator.config.z_dim != sampler.z_dim:
        raise UsageError(
            f"model {model!r} was not trained on these synthetic heads: its z has {generator.config.z_dim} numbers",
            f"the heads' has {sampler.z_dim}; give --attr to learn a direction from the generator's samples",
        )
    found = discover_directions(generator, sampler.attributes, generator_sha256=info.sha256, seed=seed)
    with console.progress("looking at directions", len(found.names)) as update:
        visible = visible_directions(generator, found, seed=seed, on_direction=update)
    save_directions(target, visible)
    left_out = sorted(set(found.names) - set(visible.names))
    return {"directions": target, "attributes": list(visible.names), "left_out": left_out}


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
    """One direction, learned and put among those that the file has."""
    from ..editing.directions import add_direction, check_direction_is_new
    from ..editing.labels import read_labels
    from ..editing.learned import learn_from_labels, learn_from_samples
    from ..editing.scores import score_named
    from ..errors import PhotoError
    from ..session import Session

    labelled = None if labels is None else read_labels(labels)
    score = score_named(attribute) if labelled is None else None
    session = Session.load(model, device, seed)
    check_direction_is_new(target, attribute, session.info.sha256, overwrite=overwrite)

    def tell(path: Path, error: PhotoError) -> None:
        console.warn(f"{path}: {error.message}")

    if score is not None:
        with console.progress(f"scoring {attribute}", samples) as update:
            learned = learn_from_samples(
                session.generator, score, session.aligner, samples=samples, seed=seed, on_head=update
            )
    else:
        assert labelled is not None
        with console.progress("inverting", len(labelled)) as update:
            learned = learn_from_labels(session, labelled, on_photo=update, on_skip=tell)
    description = score.description if score is not None else "learned from labelled pictures"
    name = add_direction(target, attribute, learned.vector, description, generator_sha256=session.info.sha256)
    return {
        "directions": target,
        "attribute": name,
        "heads": learned.heads,
        "accuracy": round(learned.accuracy, 4),
        "identity_drift": round(learned.identity_drift, 4),
        "score_gain": None if learned.score_gain is None else round(learned.score_gain, 4),
    }


def _tell(progress: float, text: str) -> None:
    console.talk(f"{100.0 * progress:5.1f} %  {text}")
