"""``geoinv view``: a head as one HTML file that opens offline in any browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError, reason_of
from . import console
from .inputs import load_inversion
from .options import (
    DeviceOpt,
    GeneratorOpt,
    JsonOpt,
    ModelOpt,
    OverwriteOpt,
    QuietOpt,
    refuse_together,
)
from .targets import check_outputs, folder_and_file, result_path, shown_facts, shown_stem

if TYPE_CHECKING:
    from ..inversion import Inversion
    from ..session import Session

_PAGE = ".html"


def view(
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="[INVERSION|GLB]",
            help="A .geoinv file, whose avatar is shown, or any .glb file. "
            "Without it, the newest inversion in the output folder.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="An .html file, or a folder for NAME.html.", show_default="outputs/NAME.html"),
    ] = None,
    generator: GeneratorOpt = None,
    model: ModelOpt = "mini",
    device: DeviceOpt = "auto",
    overwrite: OverwriteOpt = False,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Write a page that shows a head: to turn, with sliders for expressions and light; it opens offline anywhere."""
    run = console.command(quiet, json_output)

    from ..viewer import write_head_page

    folder, file = folder_and_file(out)
    if file is not None and file.suffix.lower() != _PAGE:
        raise UsageError(f"cannot write a page to {file}", f"give a path ending in {_PAGE}")

    def target_of(title: str) -> Path:
        target = file or result_path(folder, title, _PAGE)
        check_outputs([target], overwrite=overwrite)
        return target

    device_used = None
    if source is not None and source.suffix.lower() in (".glb", ".gltf"):
        given = {"--generator": generator is not None, "--model": model != "mini", "--device": device != "auto"}
        refuse_together("a .glb file", given, "the file is shown as it is")
        title = source.stem
        target = target_of(title)
        glb = _read(source)
        record: dict[str, Any] = {"glb": source}
    else:
        from ..session import Session

        loaded, path = load_inversion(source, folder)
        title = shown_stem(path, generator)
        target = target_of(title)
        session = Session.load(model, device, shown_with=generator)
        glb = _avatar(session, loaded)
        record = {"inversion": path, **shown_facts(session, loaded)}
        device_used = session.device
    size = write_head_page(target, glb, title)
    record |= {"page": target, "bytes": size}
    run.result(f"{title}: {size / 1e6:.1f} MB, for any browser", record, [target], device=device_used)


def _avatar(session: Session, inversion: Inversion) -> bytes:
    from ..avatar.glb import avatar_glb

    with console.progress("making the avatar", 2) as update:
        avatar = session.avatar(inversion)
        update(1)
        return avatar_glb(avatar)


def _read(path: Path) -> bytes:
    """Bytes of a GLB file.

    Raises:
        UsageError: It is a .gltf, a folder, missing or cannot be read.
    """
    if path.suffix.lower() != ".glb":
        raise UsageError(f"{path} may refer to other files", "export it as one .glb file")
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {reason_of(error)}", "give a .glb file, or a .geoinv file") from error
