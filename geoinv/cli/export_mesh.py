"""``geoinv export-mesh``: an inverted head as a mesh file."""

from __future__ import annotations

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

    from ..mesh import FORMATS, check_mesh_suffix, write_mesh
    from ..session import Session

    is_folder = out is None or out.is_dir() or not out.suffix
    folder = (out or DEFAULT_OUT) if is_folder else folder_with_inversions(out)
    if out is not None and not is_folder:
        check_mesh_suffix(out)
    loaded, path = load_inversion(inversion, folder)
    target = result_path(folder, shown_stem(path, generator), ".ply") if is_folder or out is None else out
    check_outputs([target], overwrite=overwrite)
    session = Session.load(model, device, seed, shown_with=generator)
    with console.progress(f"meshing {path.name}", 100) as update:
        mesh = session.mesh(
            loaded, resolution=resolution, simplify=simplify, on_progress=lambda done: update(int(100 * done))
        )
    write_mesh(target, mesh)
    size = [round(float(side), 1) for side in mesh.extents]
    record = {
        "inversion": path,
        "mesh": target,
        "vertices": len(mesh.vertices),
        "faces": len(mesh.faces),
        "size_mm": size,
        "unit": FORMATS[target.suffix.lower()].unit,
        "is_watertight": bool(mesh.is_watertight),
        **shown_facts(session, loaded),
    }
    summary = f"{path.name}: {len(mesh.faces)} triangles, {size[0]:g} x {size[1]:g} x {size[2]:g} mm"
    run.result(summary, record, [target], device=session.device)
