"""``geoinv train toon``: a generator that shows the heads of another as cartoons."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import DeviceOpt, JsonOpt, ModelOpt, QuietOpt, SeedOpt, finite
from .train_stage import stage_at_work


def toon(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run; an earlier run in it goes on.")] = Path(
        "runs/toon"
    ),
    model: ModelOpt = "mini",
    minutes: Annotated[
        float, typer.Option("--minutes", min=0.0, callback=finite, help="Training time, over all resumed runs.")
    ] = 10.0,
    learning_rate: Annotated[
        float, typer.Option("--learning-rate", min=0.0, callback=finite, help="The highest learning rate.")
    ] = 2e-3,
    device: DeviceOpt = "auto",
    seed: SeedOpt = 0,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Teach a copy of the generator to show its heads as cartoons; `--generator` of render, edit, ... takes it."""
    with stage_at_work("toon", out, device, json_output=json_output, quiet=quiet) as training:
        from ..training.stages.toon import ToonStage

        run = training.run(ToonStage.usual, minutes, learning_rate, seed)
        training.train(ToonStage(run, model=model), "trained a toon")
