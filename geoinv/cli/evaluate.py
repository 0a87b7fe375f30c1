"""``geoinv eval``: metrics on held-out heads or on photos."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import PhotoError
from ..inversion.methods import DEFAULT, METHODS, default_method
from . import console
from .console import Command
from .options import (
    DeviceOpt,
    JsonOpt,
    Method,
    ModelOpt,
    OverwriteOpt,
    QuietOpt,
    SeedOpt,
    StepsOpt,
    TimeBudgetOpt,
    method_name,
    refinement_of,
    refuse_together,
    refuse_without,
)
from .photo_files import find_photos
from .targets import check_outputs

if TYPE_CHECKING:
    from ..evaluation import Metrics, PersonPhotos
    from ..inversion import Refinement
    from ..session import Session


def evaluate(
    which: Annotated[
        str,
        typer.Option(
            "--set", help="heads, which ship with geoinv and are never trained on; or a folder of photos, or a photo."
        ),
    ] = "heads",
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Number of heads or photos to measure, from the first.")
    ] = None,
    ablation: Annotated[
        bool, typer.Option("--ablation", help="A row for each variant of the method, on the held-out heads.")
    ] = False,
    same_person: Annotated[
        bool,
        typer.Option(
            "--same-person",
            help="Heads of several photos beside those of one: 1, 2, 3 and 5 views of the held-out heads; or a folder "
            "with one for each person, whose folder kept-back has photos to compare with.",
        ),
    ] = False,
    generator_only: Annotated[
        bool,
        typer.Option("--generator-only", help="The generator at the true z of the held-out heads; needs no encoder."),
    ] = False,
    sheet: Annotated[
        Path | None,
        typer.Option(
            "--sheet",
            help="Of --generator-only: a picture to write, of truths, results and grey meshes of the first heads.",
        ),
    ] = None,
    no_geometry: Annotated[
        Path | None,
        typer.Option(
            "--no-geometry",
            help="Of --ablation: an encoder trained without the geometry losses.",
            show_default="NAME-encoder-nogeometry.safetensors beside the model",
        ),
    ] = None,
    model: ModelOpt = "mini",
    method: Annotated[
        Method | None,
        typer.Option(
            "--method",
            show_default="hybrid",
            help="hybrid is what `geoinv invert` does, encoder leaves the photo's details out; optimise and pti are "
            "set beside the encoder, on the same pixels.",
        ),
    ] = None,
    steps: StepsOpt = None,
    time_budget: TimeBudgetOpt = None,
    device: DeviceOpt = "auto",
    seed: SeedOpt = 0,
    overwrite: OverwriteOpt = False,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Measure a model on held-out heads, whose truth is known, or on photos."""
    run = console.command(quiet, json_output)
    refinement = refinement_of(method, steps, time_budget, fixed_camera=False, seed=seed)
    refuse_without("--ablation", {"--no-geometry": no_geometry is not None and not ablation}, "it is one of its rows")
    refuse_together("--same-person", {"--ablation": ablation and same_person}, "each compares something else")
    refuse_together("--same-person", {"--method": same_person and method is not None}, "it compares hybrid with group")
    given = {"--set": which != "heads", "--method": method is not None}
    refuse_together("--ablation", given if ablation else {}, "it compares variants on the held-out heads")
    given |= {"--ablation": ablation, "--same-person": same_person}
    refuse_together("--generator-only", given if generator_only else {}, "it measures no inversion")
    refuse_without("--generator-only", {"--sheet": sheet is not None and not generator_only}, "it shows generators")
    check_outputs([] if sheet is None else [sheet], overwrite=overwrite)

    from ..session import Session

    if generator_only:
        session = Session.load(model, device, seed)
        metrics = _generator(session, limit, sheet)
        _print_metrics(metrics, _record(session, which), session, run, [] if sheet is None else [sheet])
        return
    if same_person:
        persons = None if which == "heads" else _persons(Path(which), limit)
        session = Session.load(model, device, seed)
        _print_compared(_together(session, persons, limit), _record(session, which), session, run)
        return
    photos = None if which == "heads" else _photos(Path(which), limit)
    session = Session.load(model, device, seed)
    if ablation:
        _print_ablation(session, limit, no_geometry, run)
        return
    if refinement is not None:
        columns = _compared(session, photos, limit, method_name(method), refinement)
        _print_compared(columns, _record(session, which), session, run)
        return
    chosen = default_method(session) if method is None else METHODS[method.value]
    chosen.prepare(session)
    metrics = _heads(session, limit, chosen.name) if photos is None else _photo_metrics(session, photos, chosen.name)
    _print_metrics(metrics, {**_record(session, which), "method": chosen.name}, session, run)


def _print_metrics(
    metrics: Metrics, record: dict[str, Any], session: Session, run: Command, files: Sequence[Path] = ()
) -> None:
    from ..evaluation import rounded, table_rows

    if run.as_json:
        run.result("", {**record, **rounded(metrics)}, files, device=session.device)
        return
    rows = table_rows(metrics)
    width = max(len(what) for what, _ in rows)
    for what, value in rows:
        console.line(f"{what:<{width}}  {value:>8}")


def _record(session: Session, which: str) -> dict[str, Any]:
    """Return the set and the model that were measured, for JSON."""
    return {"set": which, "model": session.info.name, "model_sha256": session.info.sha256}


def _photos(path: Path, limit: int | None) -> list[Path]:
    """The photos of a folder, or a single one."""
    if not os.path.exists(path):
        raise PhotoError(f"--set {path}: no such folder or photo", "give heads, a folder of photos, or a photo")
    return [photo.path for photo in find_photos([path]).photos][:limit]


def _persons(path: Path, limit: int | None) -> list[PersonPhotos]:
    """The photos of each person: a folder each, by name."""
    from ..evaluation import PersonPhotos

    folders = sorted(folder for folder in path.glob("*") if folder.is_dir())[:limit]
    if not folders:
        raise PhotoError(f"--set {path}: no folders in it", "put the photos of each person into a folder of their own")
    return [PersonPhotos.in_folder(folder) for folder in folders]


def _together(session: Session, persons: list[PersonPhotos] | None, limit: int | None) -> dict[str, Metrics]:
    from ..evaluation import evaluate_heads_together, evaluate_persons, load_held_out

    if persons is not None:
        with console.progress("measuring", len(persons)) as update:
            return evaluate_persons(session, persons, on_person=update)
    held_out = load_held_out()
    total = held_out.count_up_to(limit)
    with console.progress("measuring", total) as update:
        return evaluate_heads_together(session, held_out, limit=limit, on_head=update)


_SHEET_HEADS = 8


def _generator(session: Session, limit: int | None, sheet: Path | None) -> Metrics:
    """Metrics of the generator alone; writes the sheet where one is asked for.

    Raises:
        UsageError: The held-out heads are of another sampler than the generator's.
    """
    from ..errors import UsageError
    from ..evaluation import evaluate_generator, generator_sheet, knows_latents, load_held_out
    from ..images import write_image

    held_out, generator = load_held_out(), session.generator_of_planes
    if not knows_latents(generator, held_out):
        raise UsageError(
            f"the held-out heads are described by {held_out.latents.shape[1]} numbers, and the generator takes "
            f"{generator.config.z_dim}",
            "it was trained on heads of another version, and has no true z for these",
        )
    total = held_out.count_up_to(limit)
    with console.progress("measuring", total) as update:
        metrics = evaluate_generator(generator, held_out, limit=limit, on_head=update)
    if sheet is not None:
        shown = min(total, _SHEET_HEADS)
        with console.progress("drawing", shown) as update:
            write_image(sheet, generator_sheet(generator, held_out, shown, on_head=update))
    return metrics


def _heads(session: Session, limit: int | None, method: str) -> Metrics:
    from ..evaluation import evaluate_heads, load_held_out

    held_out = load_held_out()
    total = held_out.count_up_to(limit)
    with console.progress("measuring", total) as update:
        return evaluate_heads(
            session.generator_of_planes,
            session.encoder,
            held_out,
            branch=session.triplane_branch if method == DEFAULT else None,
            aligner=session.fit_aligner,
            limit=limit,
            on_head=update,
        )


def _photo_metrics(session: Session, photos: list[Path], method: str) -> Metrics:
    from ..evaluation import evaluate_photos

    with console.progress("measuring", len(photos)) as update:
        return evaluate_photos(
            session,
            photos,
            method=method,
            on_photo=update,
            on_skip=_warn_of_skipped,
        )


def _compared(
    session: Session, photos: list[Path] | None, limit: int | None, method: str, refinement: Refinement
) -> dict[str, Metrics]:
    from ..evaluation import evaluate_refined_heads, evaluate_refined_photos, load_held_out

    if photos is not None:
        with console.progress("measuring", len(photos)) as update:
            return evaluate_refined_photos(
                session, photos, method, refinement, on_photo=update, on_skip=_warn_of_skipped
            )
    held_out = load_held_out()
    total = held_out.count_up_to(limit)
    with console.progress("measuring", total) as update:
        return evaluate_refined_heads(session, method, refinement, held_out, limit=limit, on_head=update)


def _print_compared(columns: dict[str, Metrics], record: dict[str, Any], session: Session, run: Command) -> None:
    from ..evaluation import compared_rows, rounded

    if run.as_json:
        metrics = {name: rounded(values) for name, values in columns.items()}
        run.result("", {**record, **metrics}, device=session.device)
        return
    rows = compared_rows(columns)
    width = max(len(what) for what, _ in rows)
    console.line(" ".join([" " * width, *(f"{name:>10}" for name in columns)]))
    for what, values in rows:
        console.line(" ".join([f"{what:<{width}}", *(f"{value:>10}" for value in values)]))


def _print_ablation(session: Session, limit: int | None, no_geometry: Path | None, run: Command) -> None:
    from ..evaluation import COLUMNS, ablation_rows, candidates_of, evaluate_variants, load_held_out, rounded

    candidates = candidates_of(session, no_geometry)
    held_out = load_held_out()
    total = held_out.count_up_to(limit)
    with console.progress("measuring", total) as update:
        metrics = evaluate_variants(candidates.variants, held_out, device=session.device, limit=limit, on_head=update)
    if run.as_json:
        rows = [{"variant": name, **rounded(values)} for name, values in metrics.items()]
        left_out = [{"variant": name, "reason": reason} for name, reason in candidates.left_out.items()]
        record = {**_record(session, "heads"), "heads": total}
        run.result("", {**record, "rows": rows, "left_out": left_out}, device=session.device)
        return
    console.table([f"{total} held-out heads", *(heading for _, heading, _ in COLUMNS)], ablation_rows(metrics))
    for name, reason in candidates.left_out.items():
        console.line(f"left out: {name}: {reason}")


def _warn_of_skipped(path: Path, error: PhotoError) -> None:
    console.warn(f"{path}: {error.message}")
