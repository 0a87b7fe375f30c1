"""``geoinv export-avatar``: an inverted head as a rigged avatar that engines open."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from . import console
from .inputs import load_inversion
from .options import (
    DEFAULT_OUT,
    DeviceOpt,
    GeneratorOpt,
    InversionArg,
    JsonOpt,
    ModelOpt,
    OverwriteOpt,
    QuietOpt,
    SeedOpt,
)
from .targets import check_outputs, folder_with_inversions, result_path, shown_facts, shown_stem


class Texture(str, Enum):
    """Sides of the skin's texture."""

    small = "1024"
    medium = "2048"
    large = "4096"


def export_avatar(
    inversion: InversionArg = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="A .glb file, or a folder for NAME_avatar.glb.",
            show_default="outputs/NAME_avatar.glb",
        ),
    ] = None,
    photo: Annotated[
        Path | None,
        typer.Option(
            "--photo",
            metavar="PHOTO",
            help="The photo that was inverted, for a texture of its full resolution.",
            show_default="the crop of 512 px in the inversion",
        ),
    ] = None,
    texture: Annotated[Texture, typer.Option("--texture", help="Texels along a side of the skin's texture.")] = (
        Texture.medium
    ),
    hair: Annotated[bool, typer.Option("--hair/--no-hair", help="Add hair and clothes as a mesh of their own.")] = True,
    generator: GeneratorOpt = None,
    model: ModelOpt = "mini",
    device: DeviceOpt = "auto",
    seed: SeedOpt = 0,
    overwrite: OverwriteOpt = False,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Write an INVERSION as an avatar in metres: textured, rigged, with ARKit's 52 expressions and 15 visemes."""
    run = console.command(quiet, json_output)

    from ..avatar.export import avatar_paths, check_avatar_suffix, write_avatar
    from ..session import Session

    is_folder = out is None or out.is_dir() or not out.suffix
    folder = (out or DEFAULT_OUT) if is_folder else folder_with_inversions(out)
    if out is not None and not is_folder:
        check_avatar_suffix(out)
    loaded, path = load_inversion(inversion, folder)
    stem = f"{shown_stem(path, generator)}_avatar"
    target = result_path(folder, stem, ".glb") if is_folder or out is None else out
    check_outputs(avatar_paths(target), overwrite=overwrite)
    session = Session.load(model, device, seed, shown_with=generator)
    avatar = session.avatar(loaded, photo=photo, texture=int(texture.value), has_hair=hair)
    files = write_avatar(target, avatar)
    size_m, size = avatar.size_m, sum(file.stat().st_size for file in files)
    record = {
        "inversion": path,
        "avatar": target,
        "triangles": avatar.triangle_count,
        "size_m": size_m,
        "bytes": size,
        "morph_targets": len(avatar.morphs.names),
        "texture": int(texture.value),
        "has_hair": avatar.hair is not None,
        **shown_facts(session, loaded),
    }
    summary = f"{path.name}: {avatar.triangle_count} triangles, {size_m[1]:.2f} m high, {size / 1e6:.1f} MB"
    run.result(summary, record, files, device=session.device)
