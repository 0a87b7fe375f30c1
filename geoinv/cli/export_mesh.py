"""``geoinv export-mesh``: an inverted head as a mesh file."""

from __future__ import annotations

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


def export_mesh(
    inversion: InversionArg = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="A .ply, .obj, .glb or .stl file (.glb in metres, .stl without colours), or a folder for NAME.ply.",
            show_default="outputs/NAME.ply",
        ),
    ] = None,
    purpose: Annotated[
        Purpose | None,
        typer.Option(
            "--for",
            help="game: three levels of detail. web, ar: fewer triangles. print: flat base, .stl or .3mf.",
            show_default="all detail, .ply",
        ),
    ] = None,
    height: HeightOpt = None,
    resolution: Annotated[
        int, typer.Option("--resolution", min=16, max=512, help="Cells along the box of 370 mm.")
    ] = 192,
    simplify: Annotated[
        int | None, typer.Option("--simplify", min=100, help="Number of triangles to reduce the mesh to, roughly.")
    ] = None,
    generator: GeneratorOpt = None,
    model: ModelOpt = "mini",
    device: DeviceOpt = "auto",
    seed: SeedOpt = 0,
    overwrite: OverwriteOpt = False,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Write an INVERSION as one closed, coloured mesh of a life-sized head in millimetres, y up, face to +z."""
    run = console.command(quiet, json_output)

    is_print = purpose is Purpose.print
    height_mm = length_mm(height)
    if purpose is not None:
        refuse_together("--for", {"--simplify": simplify is not None}, "each purpose has its number of triangles")
    if not is_print:
        refuse_without("--for print", {"--height": height is not None}, "other files are life-sized")

    from ..avatar.presets import PRESETS
    from ..mesh import FORMATS, check_mesh_suffix, write_mesh
    from ..mesh.levels import with_fewer_faces
    from ..mesh.printing import DEFAULT_HEIGHT_MM, check_print_suffix, check_printing, solid_of_mesh
    from ..session import Session

    folder, file = folder_and_file(out)
    if is_print:
        check_printing()
    if file is not None:
        (check_print_suffix if is_print else check_mesh_suffix)(file)
    loaded, path = load_inversion(inversion, folder)
    preset = None if purpose is None or is_print else PRESETS[purpose.value]
    suffix = ".stl" if is_print else ".ply" if preset is None else preset.mesh_suffix
    target = file or result_path(folder, shown_stem(path, generator), suffix)
    budgets = preset.mesh_triangles if preset else ()
    targets = [target, *(level_path(target, level) for level in range(1, len(budgets)))]
    check_outputs(targets, overwrite=overwrite)
    session = Session.load(model, device, seed, shown_with=generator)
    with console.progress(f"meshing {path.name}", 100) as update:
        most = simplify if simplify is not None else next(iter(budgets), None)
        mesh = session.mesh(
            loaded, resolution=resolution, simplify=most, on_progress=lambda done: update(int(100 * done))
        )
    facts = {"inversion": path, "mesh": target, **shown_facts(session, loaded)}
    if is_print:
        solid = solid_of_mesh(mesh, height_mm or DEFAULT_HEIGHT_MM)
        said, values = write_solid(target, solid, session, loaded)
        run.result(f"{path.name}: {said}", facts | values, targets, device=session.device)
        return
    write_mesh(target, mesh)
    for place, faces in zip(targets[1:], budgets[1:], strict=True):
        write_mesh(place, with_fewer_faces(mesh, faces))
    size = [round(float(side), 1) for side in mesh.extents]
    record = facts | {
        "vertices": len(mesh.vertices),
        "faces": len(mesh.faces),
        "size_mm": size,
        "unit": FORMATS[target.suffix.lower()].unit,
        "is_watertight": bool(mesh.is_watertight),
    }
    summary = f"{path.name}: {len(mesh.faces)} triangles, {size[0]:g} x {size[1]:g} x {size[2]:g} mm"
    run.result(summary, record, targets, device=session.device)
