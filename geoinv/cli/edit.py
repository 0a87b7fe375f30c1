"""``geoinv edit``: change attributes of an inverted head."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from . import console
from .inputs import load_inversion, parse_attributes
from .options import (
    DEFAULT_OUT,
    DeviceOpt,
    GeneratorOpt,
    InversionArg,
    JsonOpt,
    ModelOpt,
    OutOpt,
    OverwriteOpt,
    QuietOpt,
    SeedOpt,
)
from .targets import check_outputs, shown_facts, shown_stem


def edit(
    inversion: InversionArg = None,
    out: OutOpt = DEFAULT_OUT,
    attr: Annotated[
        list[str] | None,
        typer.Option("--attr", "-a", help="What to change: smile, or with a strength, age=-0.5. Several together."),
    ] = None,
    strength: Annotated[
        float, typer.Option("--strength", "-s", help="Of attributes without their own; negative is the other way.")
    ] = 1.0,
    views: Annotated[int, typer.Option("--views", min=1, max=64, help="Views from side to side.")] = 3,
    strip: Annotated[
        int | None, typer.Option("--strip", min=2, max=32, help="Instead: so many strengths, from minus to plus.")
    ] = None,
    keep_identity: Annotated[
        float | None,
        typer.Option("--keep-identity", min=0.0, help="Largest identity distance; 0.6 is where another person begins."),
    ] = None,
    save: Annotated[
        bool, typer.Option("--save", help="Also write the edited head as a .geoinv, to render or export.")
    ] = False,
    generator: GeneratorOpt = None,
    list_attributes: Annotated[bool, typer.Option("--list", help="Name the attributes and exit.")] = False,
    model: ModelOpt = "mini",
    device: DeviceOpt = "auto",
    seed: SeedOpt = 0,
    overwrite: OverwriteOpt = False,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Change attributes of an INVERSION and show it before and after, from several sides."""
    console.set_quiet(quiet)
    start = time.perf_counter()
    if list_attributes:
        _list(model, json_output)
        return
    strengths = parse_attributes(attr or [], strength)

    from ..images import write_image
    from ..session import Session
    from .writing import edit_sheet, strength_strip

    loaded, path = load_inversion(inversion, out)
    session = Session.load(model, device, seed, shown_with=generator)
    label = "_".join(name if value == 1.0 else f"{name}{value:+g}" for name, value in strengths.items())
    files = [out / f"{shown_stem(path, generator)}_{label}.png"]
    if save:  # of the model, whatever it is shown with
        files.append(out / f"{path.stem}_{label}.geoinv")
    check_outputs(files, overwrite=overwrite)
    values: dict[str, object] = {}
    if keep_identity is None:
        edited = session.edit(loaded, strengths)
    else:
        edited, bound = session.edit_within(loaded, strengths, keep_identity)
        strengths = {name: round(bound.scale * value, 4) for name, value in strengths.items()}
        values = {"identity_distance": round(bound.distance, 4), "identity_scale": bound.scale}
        console.talk(f"identity distance {bound.distance:.2f} at {100.0 * bound.scale:.0f} % of the edit")
    if strip is None:
        sheet = edit_sheet(session, [("before", loaded), (label.replace("_", " "), edited)], views)
    else:
        sheet = strength_strip(session, loaded, strengths, strip)
    write_image(files[0], sheet)
    if save:
        edited.save(files[1])
    values = values | {
        "inversion": path,
        "edits": strengths,
        "files": files,
        **shown_facts(session, loaded),
        "device": session.device.type,
        "seconds": round(time.perf_counter() - start, 3),
    }
    summary = ", ".join(f"{name} {value:+g}" for name, value in strengths.items())
    console.print_result(f"{path.name}: {summary}", values, files, as_json=json_output)


def _list(model: str, json_output: bool) -> None:
    from ..editing import load_directions

    directions = load_directions(model)
    described = {name: directions.descriptions.get(name, "") for name in directions.names}
    if json_output:
        console.print_json({"model": model, "attributes": described})
        return
    width = max((len(name) for name in described), default=0)
    for name, text in described.items():
        console.line(f"{name:<{width}}  {text}".rstrip())
