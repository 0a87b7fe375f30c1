"""``geoinv train directions``: edit directions by what z means, or learned from scores or labelled pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import console
from .options import DeviceOpt, JsonOpt, ModelOpt, OverwriteOpt, QuietOpt, SeedOpt
from .targets import check_writable


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
    from ..checkpoints.store import load_generator_of_planes
    from ..loaded_models import pick_device
    from ..synth.sampler import HeadSampler
    from ..training.stages.directions import known_directions

    generator, info = load_generator_of_planes(model, pick_device(device))
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
