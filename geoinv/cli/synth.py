"""``geoinv synth``: synthetic heads to look at and to train on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import console
from .options import AssetsOpt, JsonOpt, OverwriteOpt, QuietOpt, SeedOpt
from .targets import check_outputs, check_writable

app = typer.Typer(
    help="Synthetic heads: preview, dataset, held-out, shape-model.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("preview")
def preview(
    out: Annotated[Path, typer.Option("--out", "-o", help="The picture to write.")] = Path("outputs/heads.png"),
    heads: Annotated[int, typer.Option("--heads", min=1, max=1024, help="How many heads.")] = 64,
    resolution: Annotated[int, typer.Option("--resolution", min=32, max=1024, help="Side of each head.")] = 160,
    assets: AssetsOpt = None,
    seed: SeedOpt = 0,
    overwrite: OverwriteOpt = False,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Draw a contact sheet of random heads."""
    run = console.command(quiet, json_output)
    check_outputs([out], overwrite=overwrite)

    from ..synth.assets import find_assets
    from ..synth.preview import preview as draw_preview

    find_assets(assets)
    out.parent.mkdir(parents=True, exist_ok=True)
    draw_preview(out, heads, resolution=resolution, seed=seed, assets=assets)
    record = {"picture": out, "heads": heads, "seed": seed}
    run.result(f"{heads} heads", record, [out])


@app.command("dataset")
def dataset(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the shards; a run cut short goes on.")],
    heads: Annotated[int, typer.Option("--heads", min=1, help="How many heads.")] = 1000,
    views: Annotated[int, typer.Option("--views", min=1, max=64, help="Views of each head.")] = 5,
    resolution: Annotated[int, typer.Option("--resolution", min=32, max=1024, help="Side of the pictures.")] = 128,
    supersample: Annotated[int, typer.Option("--supersample", min=1, max=8, help="Samples a pixel, each axis.")] = 2,
    worker: Annotated[
        int | None,
        typer.Option(
            "--worker", min=0, help="Be this one of --workers, from 0; else all are started.", show_default=False
        ),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Number of processes that render.")] = 2,
    twins: Annotated[
        bool, typer.Option("--twins", help="Heads in pairs that differ in expression alone, which teaches expressions.")
    ] = False,
    around: Annotated[
        bool, typer.Option("--around", help="Half of the views from all around the head, not of the face alone.")
    ] = False,
    assets: AssetsOpt = None,
    seed: SeedOpt = 0,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Render heads into shards for training: colour, albedo, depth, normals, landmarks, cameras, light and codes."""
    run = console.command(quiet, json_output)
    check_writable(out)

    from ..errors import UsageError
    from ..synth.assets import find_assets
    from ..synth.dataset import make_dataset

    if worker is not None and worker >= workers:
        raise UsageError(f"there is no worker {worker} of {workers}", "workers count from 0")
    find_assets(assets)

    def on_shard(shard: int, shards: int, rate: float) -> None:
        console.talk(f"shard {shard + 1} of {shards}: {rate:.1f} views a second")

    make_dataset(
        out,
        heads,
        views,
        resolution,
        seed,
        assets,
        supersample=supersample,
        twins=twins,
        around=around,
        worker=worker,
        workers=workers,
        on_shard=on_shard,
    )
    record = {"dataset": out, "heads": heads, "views": views}
    run.result(f"{heads} heads, {views} views each", record, [out])


@app.command("held-out")
def held_out(
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")] = Path(
        "weights/heldout-heads.safetensors"
    ),
    heads: Annotated[int, typer.Option("--heads", min=1, max=1000, help="How many heads.")] = 48,
    assets: AssetsOpt = None,
    overwrite: OverwriteOpt = False,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Render the heads that `geoinv eval --set heads` measures on; no data set's seed can draw them."""
    run = console.command(quiet, json_output)
    check_outputs([out], overwrite=overwrite)

    from ..evaluation import build_held_out
    from ..synth.assets import find_assets

    find_assets(assets)
    with console.progress("rendering", heads) as update:
        build_held_out(out, heads, assets=assets, on_head=update)
    record = {"heads": heads, "file": out}
    run.result(f"{heads} held-out heads", record, [out])


@app.command("shape-model")
def shape_model(
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")] = Path(
        "weights/head-model.safetensors"
    ),
    heads: Annotated[int, typer.Option("--heads", min=1000, help="Random heads of the identity basis.")] = 20_000,
    assets: AssetsOpt = None,
    seed: SeedOpt = 0,
    overwrite: OverwriteOpt = False,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Make the head mesh model: identity basis, ARKit's 52 units, landmarks. Takes some minutes."""
    run = console.command(quiet, json_output)
    check_outputs([out], overwrite=overwrite)

    from ..synth.assets import find_assets
    from ..synth.shape_model import WATCHED_HEADS, make_head_model

    find_assets(assets)
    with console.progress("watching the landmark detector", WATCHED_HEADS) as update:
        measured = make_head_model(out, assets, heads=heads, seed=seed, on_head=update)
    summary = (
        f"head model of {heads} heads; unseen heads within {measured['error_median_mm']:.2f} mm in the median, "
        f"{measured['error_p95_mm']:.2f} mm at the 95th percentile"
    )
    run.result(summary, {**measured, "file": out}, [out])
