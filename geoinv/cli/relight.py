"""``geoinv relight``: an inverted head under another light."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import console
from .inputs import load_inversion
from .options import (
    DEFAULT_OUT,
    DeviceOpt,
    Frame,
    FrameOpt,
    InversionArg,
    JsonOpt,
    ModelOpt,
    OutOpt,
    OverwriteOpt,
    QuietOpt,
    SeedOpt,
)
from .targets import check_outputs, check_writable, result_path, shown_facts

DEFAULT_VIEWS = 3


def relight(
    inversion: InversionArg = None,
    light: Annotated[
        str,
        typer.Option(
            "--light",
            help="left, right, above, below, front, behind, or a panorama (.exr, .hdr).",
            metavar="LIGHT",
        ),
    ] = "left",
    out: OutOpt = DEFAULT_OUT,
    views: Annotated[int, typer.Option("--views", min=1, max=64, help="Views from side to side.")] = DEFAULT_VIEWS,
    save: Annotated[
        bool, typer.Option("--save", help="Also write the head in its new light as a .geoinv, to render or export.")
    ] = False,
    frame: FrameOpt = None,
    model: ModelOpt = "mini",
    device: DeviceOpt = "auto",
    seed: SeedOpt = 0,
    overwrite: OverwriteOpt = False,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Show an INVERSION under another light, before and after; models on the head mesh alone.

    Writes NAME_LIGHT.png.
    """
    run = console.command(quiet, json_output)
    from ..images import write_image
    from ..session import Session
    from .writing import edit_sheet

    loaded, path = load_inversion(inversion, out)
    check_writable(out)
    label = Path(light).stem
    files = [result_path(out, f"{path.stem}_{label}", ".png")]
    if save:
        files.append(result_path(out, f"{path.stem}_{label}", ".geoinv"))
    check_outputs(files, overwrite=overwrite)
    session = Session.load(model, device, seed)
    session.check(loaded)
    lit = session.relight(loaded, light)
    heads = [("before", session.head(loaded)), (label, session.head(lit))]
    write_image(files[0], edit_sheet(heads, views, frame=frame or Frame.head))
    if save:
        lit.save(files[1])
    record = {"inversion": path, "light": light, "files": files, **shown_facts(session, loaded)}
    run.result(f"{path.name}: light {label}", record, files, device=session.device)
