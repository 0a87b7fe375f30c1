"""``geoinv edit``: change attributes of an inverted head."""

from __future__ import annotations

from typing import Annotated

import typer

from . import console
from .inputs import load_inversion, parse_attributes
from .options import (
    DEFAULT_OUT,
    DeviceOpt,
    Frame,
    FrameOpt,
    GeneratorOpt,
    InversionArg,
    JsonOpt,
    ModelOpt,
    OutOpt,
    OverwriteOpt,
    QuietOpt,
    SeedOpt,
    SizeOpt,
    SizePhotoOpt,
    finite,
    refuse_together,
    refuse_without,
)
from .targets import check_outputs, check_writable, result_path, shown_facts, shown_stem

DEFAULT_VIEWS = 3


def edit(
    inversion: InversionArg = None,
    out: OutOpt = DEFAULT_OUT,
    attr: Annotated[
        list[str] | None,
        typer.Option("--attr", "-a", help="What to change: smile, or with a strength, age=-0.5. Several together."),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(
            "--strength",
            "-s",
            callback=finite,
            help="Strength of attributes without one of their own; negative is the other way.",
            show_default="1",
        ),
    ] = None,
    views: Annotated[
        int | None, typer.Option("--views", min=1, max=64, help="Views from side to side.", show_default="3")
    ] = None,
    strip: Annotated[
        int | None,
        typer.Option(
            "--strip", min=2, max=32, help="Instead of views: this many strengths, from minus to plus, from the front."
        ),
    ] = None,
    keep_identity: Annotated[
        float | None,
        typer.Option(
            "--keep-identity",
            min=0.0,
            callback=finite,
            help="Weaken the edit until the identity distance is at most this; 0.6 is where another person begins.",
        ),
    ] = None,
    save: Annotated[
        bool, typer.Option("--save", help="Also write the edited head as a .geoinv, to render or export.")
    ] = False,
    frame: FrameOpt = None,
    size: SizeOpt = None,
    photo: SizePhotoOpt = None,
    generator: GeneratorOpt = None,
    list_attributes: Annotated[bool, typer.Option("--list", help="Name the attributes and exit.")] = False,
    model: ModelOpt = "mini",
    device: DeviceOpt = "auto",
    seed: SeedOpt = 0,
    overwrite: OverwriteOpt = False,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Change attributes of an INVERSION and show it before and after, from several sides.

    Writes NAME_EDIT.png, or NAME_EDIT_strip.png with --strip; EDIT names what was done, such as smile-0.5.
    """
    run = console.command(quiet, json_output)
    if list_attributes:
        refuse_together(
            "--list",
            {"INVERSION": inversion is not None, "--attr": bool(attr), "--strip": strip is not None, "--save": save},
            "it only names the attributes",
        )
        _list(model, json_output)
        return
    refuse_together("--strip", {"--views": strip is not None and views is not None}, "a strip shows the front alone")
    refuse_together("--strip", {"--size": strip is not None and size is not None}, "a strip has the usual size")
    refuse_without("--size", {"--photo": photo is not None and size is None}, "a view of the usual size needs none")
    asked = parse_attributes(attr or [], strength)

    from ..images import write_image
    from ..session import Session
    from .writing import edit_sheet, sized_head, strength_strip

    loaded, path = load_inversion(inversion, out)
    check_writable(out)
    session = Session.load(model, device, seed, shown_with=generator)
    record: dict[str, object] = {"inversion": path}
    if keep_identity is None:
        edited = session.edit(loaded, asked)
    else:
        edited, bound = session.edit_within(loaded, asked, keep_identity)
        record |= {"identity_distance": round(bound.distance, 4), "identity_scale": bound.scale}
        console.talk(f"identity distance {bound.distance:.2f} at {100.0 * bound.scale:.0f} % of the edit")
    applied = {name: round(edited.edits[name] - loaded.edits.get(name, 0.0), 4) for name in asked}
    label = "_".join(name if value == 1.0 else f"{name}{value:+g}" for name, value in applied.items())
    ending = "" if strip is None else "_strip"
    files = [result_path(out, f"{shown_stem(path, generator)}_{label}", f"{ending}.png")]
    if save:  # of the model, whatever it is shown with
        files.append(result_path(out, f"{path.stem}_{label}", ".geoinv"))
    check_outputs(files, overwrite=overwrite)
    if strip is None:
        pair = [("before", loaded), (label.replace("_", " "), edited)]
        heads = [(name, sized_head(session, head, size, photo)) for name, head in pair]
        sheet = edit_sheet(heads, views or DEFAULT_VIEWS, frame=frame or Frame.head)
    else:
        sheet = strength_strip(session, loaded, applied, strip, frame=frame or Frame.photo)
    write_image(files[0], sheet)
    if save:
        edited.save(files[1])
    if applied != asked:
        record["asked"] = asked
    record |= {"edits": applied, "files": files, **shown_facts(session, loaded)}
    summary = ", ".join(f"{name} {value:+g}" for name, value in applied.items())
    run.result(f"{path.name}: {summary}", record, files, device=session.device)


def _list(model: str, json_output: bool) -> None:
    from ..checkpoints.store import generator_path, model_config
    from ..editing import load_directions
    from ..errors import MissingDirectionsError
    from ..models.config import GeneratorConfig
    from ..notices import notify
    from ..shape import ARKIT_UNITS

    config = model_config(generator_path(model))
    expressions = list(ARKIT_UNITS) if isinstance(config, GeneratorConfig) and config.anchor is not None else []
    described = {}
    try:
        directions = load_directions(model)
        described = {name: directions.descriptions.get(name, "") for name in directions.names}
    except MissingDirectionsError as error:
        if not expressions:
            raise
        notify(f"ARKit's expressions are all that can be edited: {error.message}")
    if json_output:
        apart = {"expressions": expressions} if expressions else {}
        console.print_json({"model": model, "attributes": described, **apart})
        return
    width = max((len(name) for name in described), default=0)
    for name, text in described.items():
        console.line(f"{name:<{width}}  {text}".rstrip())
    if expressions:
        console.line(f"\nARKit's {len(expressions)} expressions, each from 0 to 1:")
        for unit in expressions:
            console.line(unit)
