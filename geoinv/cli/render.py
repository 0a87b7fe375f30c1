"""``geoinv render``: views of an inverted head."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import console
from .inputs import load_inversion, parse_angles
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
    refuse_without,
)
from .targets import check_outputs, result_path, shown_facts, shown_stem

if TYPE_CHECKING:
    from ..present.view_pictures import Kind

DEFAULT_VIEWS = 5
DEFAULT_FRAMES = 48
MAX_YAW_DEG = 360.0
MAX_PITCH_DEG = 89.0  # a camera straight above has no upward direction


def render(
    inversion: InversionArg = None,
    out: OutOpt = DEFAULT_OUT,
    views: Annotated[
        int | None,
        typer.Option("--views", min=1, max=64, help="Number of views from side to side, on one sheet (5 by default)."),
    ] = None,
    yaw: Annotated[
        str | None,
        typer.Option("--yaw", help="Degrees: -30,0,30; positive turns the face to image left. A picture each."),
    ] = None,
    pitch: Annotated[
        str | None, typer.Option("--pitch", help="Degrees, one or as many as yaws; positive looks from above.")
    ] = None,
    video: Annotated[bool, typer.Option("--video", help="A turning head: NAME_video.mp4.")] = False,
    gif: Annotated[bool, typer.Option("--gif", help="The same as a .gif.")] = False,
    frames: Annotated[
        int | None, typer.Option("--frames", min=2, max=1000, help="Frames of the video.", show_default="48")
    ] = None,
    depth: Annotated[bool, typer.Option("--depth", help="Depth too: near is bright.")] = False,
    normals: Annotated[bool, typer.Option("--normals", help="Normals too.")] = False,
    light: Annotated[
        str | None,
        typer.Option(
            "--light",
            help="Another light: left, right, above, below, front, behind, or a panorama (.exr, .hdr).",
            metavar="LIGHT",
            show_default="the photo's",
        ),
    ] = None,
    seen: Annotated[
        bool, typer.Option("--seen", help="What the photo did not show too, tinted: it is guessed.")
    ] = False,
    frame: FrameOpt = None,
    size: SizeOpt = None,
    photo: SizePhotoOpt = None,
    generator: GeneratorOpt = None,
    model: ModelOpt = "mini",
    device: DeviceOpt = "auto",
    seed: SeedOpt = 0,
    overwrite: OverwriteOpt = False,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Render views, pictures at given angles, or a video of an INVERSION."""
    run = console.command(quiet, json_output)
    yaws, pitches = parse_angles(yaw, "--yaw", MAX_YAW_DEG), parse_angles(pitch, "--pitch", MAX_PITCH_DEG)
    has_angles = yaws is not None or pitches is not None
    refuse_without("--video or --gif", {"--frames": frames is not None and not (video or gif)}, "pictures have none")
    refuse_without("--size", {"--photo": photo is not None and size is None}, "a view of the usual size needs none")
    if views is None and not (has_angles or video or gif):
        views = DEFAULT_VIEWS

    from ..present.video import find_ffmpeg
    from ..session import Session
    from .writing import angle_names, sized_head, write_pictures, write_sheet, write_videos

    if video:
        find_ffmpeg()  # before the work, which is lost without it
    loaded, path = load_inversion(inversion, out)
    wanted: dict[Kind, bool] = {"color": True, "depth": depth, "normals": normals, "seen": seen}
    kinds = [kind for kind, is_wanted in wanted.items() if is_wanted]
    stem = shown_stem(path, generator) + ("" if light is None else f"_{Path(light).stem}")
    sheet = [result_path(out, stem, "_views.png")] if views is not None else []
    names = angle_names(yaws, pitches) if has_angles else []
    pictures = [
        result_path(out, stem, f"_{name}{'' if kind == 'color' else '_' + kind}.png")
        for name in names
        for kind in kinds
    ]
    videos = [
        result_path(out, stem, f"_video{'' if kind == 'color' else '_' + kind}.{suffix}")
        for suffix in ["mp4"] * video + ["gif"] * gif
        for kind in kinds
    ]
    files = [*sheet, *pictures, *videos]
    check_outputs(files, overwrite=overwrite)
    session = Session.load(model, device, seed, shown_with=generator)
    session.check(loaded)
    if light is not None:
        loaded = session.relight(loaded, light)
    head = sized_head(session, loaded, size, photo)
    if views is not None:
        write_sheet(session, loaded, head, sheet[0], views, kinds, frame=frame or Frame.head)
    if has_angles:
        write_pictures(session, loaded, head, pictures, yaws, pitches, kinds, frame=frame or Frame.head)
    if videos:
        shown = frames or DEFAULT_FRAMES
        write_videos(session, loaded, head, videos, kinds, frames=shown, frame=frame or Frame.head)
    record = {"inversion": path, "files": files, **shown_facts(session, loaded)}
    run.result(f"{path.name}: rendered", record, files, device=session.device)
