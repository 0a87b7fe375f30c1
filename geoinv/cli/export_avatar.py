"""``geoinv export-avatar``: an inverted head as a rigged avatar that engines open."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from . import console
from .inputs import load_inversion
from .options import (
    DeviceOpt,
    GeneratorOpt,
    HeightOpt,
    InversionArg,
    JsonOpt,
    ModelOpt,
    OverwriteOpt,
    Purpose,
    QuietOpt,
    SeedOpt,
    length_mm,
    refuse_together,
    refuse_without,
)
from .prints import write_solid
from .targets import check_outputs, folder_and_file, level_path, result_path, shown_facts, shown_stem


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
            help="A .glb (moves), .obj (millimetres), .usdz, and to print .stl or .3mf file, or a folder.",
            show_default="outputs/NAME_avatar.glb",
        ),
    ] = None,
    purpose: Annotated[
        Purpose | None,
        typer.Option(
            "--for",
            help="game: three levels of detail. web: under 3 MB. ar: .usdz, for phones. print: a solid, .stl or .3mf.",
            show_default="all detail, .glb",
        ),
    ] = None,
    height: HeightOpt = None,
    photo: Annotated[
        Path | None,
        typer.Option(
            "--photo",
            metavar="PHOTO",
            help="The photo that was inverted, for a texture of its full resolution.",
            show_default="the crop of 512 px in the inversion",
        ),
    ] = None,
    texture: Annotated[
        Texture | None,
        typer.Option(
            "--texture",
            help="Texels along a side of the skin's texture.",
            show_default="2048, for the web 1024",
        ),
    ] = None,
    hair: Annotated[bool, typer.Option("--hair/--no-hair", help="Add hair and clothes as a mesh of their own.")] = True,
    albedo: Annotated[
        bool,
        typer.Option("--albedo", help="Take light out of the skin, as far as its shading in the photo tells it."),
    ] = False,
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

    is_print = purpose is Purpose.print
    height_mm = length_mm(height)
    if is_print:
        refuse_together(
            "--for print", {"--texture": texture is not None, "--albedo": albedo}, "prints have colours on vertices"
        )
    else:
        refuse_without("--for print", {"--height": height is not None}, "other files are life-sized")

    from ..avatar.avatar import DEFAULT_TEXTURE
    from ..avatar.export import avatar_paths, check_avatar_suffix, write_avatar
    from ..avatar.presets import PRESETS
    from ..mesh.printing import DEFAULT_HEIGHT_MM, check_print_suffix, check_printing
    from ..session import Session

    folder, file = folder_and_file(out)
    if is_print:
        check_printing()
    if file is not None:
        (check_print_suffix if is_print else check_avatar_suffix)(file)
    loaded, path = load_inversion(inversion, folder)
    preset = None if purpose is None or is_print else PRESETS[purpose.value]
    suffix = ".stl" if is_print else ".glb" if preset is None else preset.suffix
    stem = f"{shown_stem(path, generator)}_{'print' if is_print else 'avatar'}"
    target = file or result_path(folder, stem, suffix)
    targets = [target, *(level_path(target, level) for level in range(1, len(preset.levels) if preset else 1))]
    written = targets if is_print else [path for level in targets for path in avatar_paths(level)]
    check_outputs(written, overwrite=overwrite)
    session = Session.load(model, device, seed, shown_with=generator)
    facts = {"inversion": path, "avatar": target, **shown_facts(session, loaded)}
    if is_print:
        solid = session.bust(loaded, height_mm=height_mm or DEFAULT_HEIGHT_MM, photo=photo, has_hair=hair)
        said, values = write_solid(target, solid, session, loaded)
        run.result(f"{path.name}: {said}", facts | values, [target], device=session.device)
        return
    size = int(texture.value) if texture else preset.texture if preset else DEFAULT_TEXTURE
    whole = session.avatar(loaded, photo=photo, texture=size, has_hair=hair, is_albedo=albedo)
    avatars = preset.apply(whole, size) if preset else [whole]
    files = [file for place, avatar in zip(targets, avatars, strict=True) for file in write_avatar(place, avatar)]
    size_m, size_bytes = whole.size_m, sum(file.stat().st_size for file in files)
    record = facts | {
        "triangles": [avatar.triangle_count for avatar in avatars],
        "size_m": size_m,
        "bytes": size_bytes,
        "morph_targets": len(whole.morphs.names),
        "texture": size,
        "is_albedo": albedo,
        "has_hair": whole.hair is not None,
    }
    triangles = ", ".join(str(avatar.triangle_count) for avatar in avatars)
    summary = f"{path.name}: {triangles} triangles, {size_m[1]:.2f} m high, {size_bytes / 1e6:.1f} MB"
    run.result(summary, record, files, device=session.device)
