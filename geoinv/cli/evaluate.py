"""``geoinv eval``: figures on held-out heads or on photos."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import output
from .options import DeviceOpt, JsonOpt, ModelOpt, QuietOpt, SeedOpt

if TYPE_CHECKING:
    from ..errors import PhotoError
    from ..evaluation import Figures
    from ..session import Session


def evaluate(
    which: Annotated[
        str, typer.Option("--set", help="heads: the held-out heads that ship with geoinv; or a folder of photos.")
    ] = "heads",
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only so many, from the first.")] = None,
    model: ModelOpt = "mini",
    device: DeviceOpt = "auto",
    seed: SeedOpt = 0,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Measure a model on held-out heads, whose truth is known, or on photos."""
    output.set_quiet(quiet)
    start = time.perf_counter()

    from ..evaluation import rounded, table_rows
    from ..session import Session

    photos = None if which == "heads" else _photos(Path(which), limit)
    session = Session.load(model, device, seed)
    figures = _heads(session, limit) if photos is None else _photo_figures(session, photos)
    if json_output:
        facts = {"set": which, "model": session.info.name, "model_sha256": session.info.sha256}
        output.print_json({**facts, **rounded(figures), "seconds": round(time.perf_counter() - start, 3)})
        return
    rows = table_rows(figures)
    width = max(len(what) for what, _ in rows)
    for what, value in rows:
        output.line(f"{what:<{width}}  {value:>8}")


def _photos(folder: Path, limit: int | None) -> list[Path]:
    from ..images import list_images

    return list_images(folder)[:limit]


def _heads(session: Session, limit: int | None) -> Figures:
    from ..evaluation import evaluate_heads, load_held_out

    held_out = load_held_out()
    total = len(held_out) if limit is None else min(limit, len(held_out))
    with output.progress("measuring", total) as update:
        return evaluate_heads(
            session.generator, session.encoder, held_out, limit=limit, on_head=lambda done, _: update(done)
        )


def _photo_figures(session: Session, photos: list[Path]) -> Figures:
    from ..evaluation import evaluate_photos

    def tell(path: Path, error: PhotoError) -> None:
        output.warn(f"{path}: {error.message}")

    with output.progress("measuring", len(photos)) as update:
        return evaluate_photos(session, photos, on_photo=lambda done, _: update(done), on_skip=tell)
