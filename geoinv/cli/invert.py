"""``geoinv invert``: photos to heads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from . import console
from .invert_clip import clip_among, invert_clip
from .invert_group import GroupPlan
from .invert_plan import InvertPlan
from .options import (
    DEFAULT_OUT,
    DetailsOpt,
    DeviceOpt,
    EncoderOpt,
    FaceOpt,
    FrameOpt,
    JsonOpt,
    Landmarks,
    LandmarksOpt,
    Method,
    ModelOpt,
    OutOpt,
    OverwriteOpt,
    PhotosArg,
    QuietOpt,
    RecursiveOpt,
    SeedOpt,
    StepsOpt,
    TimeBudgetOpt,
    refinement_of,
    refuse_together,
    refuse_without,
)
from .photo_files import Share
from .photo_groups import folders_of_persons
from .photo_groups import same_person as same_person_of
from .photo_runs import run_found, run_photos

if TYPE_CHECKING:
    from .crew import Crew

TURNTABLE_FRAMES = 48


class Engine(str, Enum):
    """Who does many photos."""

    local = "local"
    ray = "ray"


class Turntable(str, Enum):
    """Formats of the turntable, or none at all."""

    mp4 = "mp4"
    gif = "gif"
    none = "none"


def invert(
    photos: PhotosArg,
    out: OutOpt = DEFAULT_OUT,
    recursive: RecursiveOpt = False,
    model: ModelOpt = "mini",
    encoder: EncoderOpt = None,
    details: DetailsOpt = None,
    method: Annotated[
        Method | None,
        typer.Option(
            "--method",
            show_default="hybrid",
            help="hybrid adds the photo's details to the encoder's code; optimise refines code and camera; pti also "
            "tunes the generator.",
        ),
    ] = None,
    steps: StepsOpt = None,
    time_budget: TimeBudgetOpt = None,
    fixed_camera: Annotated[
        bool, typer.Option("--fixed-camera", help="Leave the camera of optimise and pti where it starts.")
    ] = False,
    camera_label: Annotated[
        Path | None,
        typer.Option(
            "--camera-label",
            help="EG3D's camera of PHOTO, which is its crop then: .npy, dataset.json, label.json or .tsv.",
            show_default=False,
        ),
    ] = None,
    save_label: Annotated[
        Path | None,
        typer.Option(
            "--save-label",
            help="Write EG3D's camera of NAME_aligned.png to a .json or .tsv (many in one file) or .npy (one).",
            show_default=False,
        ),
    ] = None,
    turntable: Annotated[
        Turntable | None, typer.Option("--turntable", help="Format of the turning head.", show_default="mp4")
    ] = None,
    no_turntable: Annotated[bool, typer.Option("--no-turntable", help="The same as --turntable none.")] = False,
    frames: Annotated[
        int | None, typer.Option("--frames", min=2, max=1000, help="Frames of the turntable.", show_default="48")
    ] = None,
    frame: FrameOpt = None,
    same_person: Annotated[
        bool, typer.Option("--same-person", help="The photos show one person: one head of all of them.")
    ] = False,
    group: Annotated[
        bool, typer.Option("--group", help="Each folder holds photos of one person: one head of each.")
    ] = False,
    landmarks: LandmarksOpt = Landmarks.mediapipe,
    face: FaceOpt = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            max=1024,
            help="Processes that share many photos.",
            show_default="1, or ray's processors",
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard", metavar="I/N", help="Do part I of N of the photos, as job arrays want.", show_default=False
        ),
    ] = None,
    engine: Annotated[
        Engine, typer.Option("--engine", help="local: processes of this machine; ray: actors of a Ray cluster.")
    ] = Engine.local,
    address: Annotated[
        str | None,
        typer.Option(
            "--address", help="Ray cluster, such as HOST:6379 or auto.", show_default="a new one on this machine"
        ),
    ] = None,
    device: DeviceOpt = "auto",
    seed: SeedOpt = 0,
    overwrite: OverwriteOpt = False,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Turn the face in each PHOTO into a 3D head.

    Writes NAME.geoinv (for render, edit and export-mesh), NAME_aligned.png, NAME_inversion.png (photo, reconstruction,
    depth, normals), NAME_seen.png (what the photo did not show, tinted: it is guessed), NAME_turntable.mp4 and
    NAME_report.json. Of a video it writes NAME_avatar.glb, which does what the face does, NAME_curves.csv (in Live Link
    Face's columns), NAME_beside.mp4, NAME_report.json and NAME.geoinv. Ctrl-C ends optimise and pti early; the best so
    far is kept.
    """
    from ..present.video import find_ffmpeg, usual_suffix

    run = console.command(quiet, json_output)
    refuse_together(
        "--no-turntable", {"--turntable": no_turntable and turntable is not None}, "they say how the head turns"
    )
    suffix = "none" if no_turntable else turntable.value if turntable is not None else usual_suffix()
    if suffix == "mp4":
        find_ffmpeg()  # before the work, at whose end the turntable is written
    given = {"--frames": frames is not None, "--frame": frame is not None}
    refuse_without("a turntable", given if suffix == "none" else {}, "without one it changes nothing")
    refuse_together(
        "--camera-label", {"--face": camera_label is not None and face is not None}, "the photo is the crop"
    )
    check_labels(camera_label, save_label, photos, overwrite=overwrite)
    refinement = refinement_of(method, steps, time_budget, fixed_camera, seed)
    if refinement is not None and camera_label is not None:
        refinement = replace(refinement, refine_camera=False)
    plan = InvertPlan(
        out=out,
        model=model,
        encoder=encoder,
        details=details,
        method=None if method is None else method.value,
        refinement=refinement,
        steps=steps,
        time_budget=time_budget,
        fixed_camera=fixed_camera,
        camera_label=camera_label,
        save_label=save_label,
        turntable=suffix,
        frames=TURNTABLE_FRAMES if frames is None else frames,
        frame=frame,
        landmarks=landmarks.value,
        face=face,
        device=device,
        seed=seed,
        overwrite=overwrite,
    )
    if (clip := clip_among(photos)) is not None:
        of_photos = {
            "--turntable": turntable is not None or no_turntable,
            **given,
            "--camera-label": camera_label is not None,
            "--save-label": save_label is not None,
            "--same-person": same_person,
            "--group": group,
            "--workers": workers is not None,
            "--shard": shard is not None,
            "--engine": engine is not Engine.local,
            "--landmarks": landmarks is not Landmarks.mediapipe,
        }
        invert_clip(clip, plan, run, of_photos)
        return
    if same_person or group:
        refuse_together("--same-person", {"--group": group and same_person}, "each says what belongs together")
        others = {"--method": method is not None, "--face": face is not None, "--shard": shard is not None}
        others |= {"--camera-label": camera_label is not None, "--save-label": save_label is not None}
        refuse_together("--group" if group else "--same-person", others, "it is about a single photo")
        found = (folders_of_persons if group else same_person_of)(photos, recursive=recursive)
        plan = GroupPlan(**vars(plan))
        crew = crew_of(plan, engine, workers, address)
        run_found(plan.job(), found, overwrite=overwrite, as_json=run.as_json, crew=crew)
        return
    run_photos(
        plan.job(),
        photos,
        overwrite=overwrite,
        as_json=run.as_json,
        recursive=recursive,
        face=face,
        share=share_of(shard),
        crew=crew_of(plan, engine, workers, address),
    )


def share_of(shard: str | None) -> Share | None:
    """The part of the photos that ``--shard I/N`` names.

    Raises:
        UsageError: Not two numbers with 1 <= I <= N.
    """
    if shard is None:
        return None
    index, _, count = shard.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise UsageError(f"--shard {shard}: not a part of a whole", "give I/N, from 1/N to N/N, such as 3/8")
    return Share(int(index), int(count))


def crew_of(plan: InvertPlan, engine: Engine, workers: int | None, address: str | None) -> Callable[[int], Crew] | None:
    """A function that makes the workers for a number of photos; None where this process does all of them.

    Raises:
        UsageError: An address without ray, or many processes that would write one file of labels.
    """
    if engine is Engine.local:
        refuse_without("--engine ray", {"--address": address is not None}, "without it all is done on this machine")
        if workers is None or workers == 1:
            return None
    is_joined = plan.save_label is not None
    refuse_together("--save-label", {"--workers": is_joined}, "many processes would write one file at once")
    job, overwrite = plan.job(), plan.overwrite
    if engine is Engine.ray:
        from .ray_crew import RayCrew

        return lambda photos: RayCrew(job, workers, photos, overwrite=overwrite, address=address, out=plan.out)
    from .local_crew import LocalCrew

    return lambda photos: LocalCrew(job, min(workers or 1, photos), overwrite=overwrite)


def check_labels(camera_label: Path | None, save_label: Path | None, photos: list[Path], *, overwrite: bool) -> None:
    """Refuse label files that cannot be read or written, before any work.

    Raises:
        UsageError: Naming the file.
    """
    from ..camera.label_files import LABEL_SUFFIXES, labels_in
    from .photo_files import is_single
    from .targets import check_outputs

    if camera_label is not None and not camera_label.is_file():
        raise UsageError(f"no such file: {camera_label}", f"give a camera label: {', '.join(LABEL_SUFFIXES)}")
    if save_label is None:
        return
    if save_label.suffix.lower() not in LABEL_SUFFIXES:
        raise UsageError(f"--save-label {save_label}: unknown type", f"use {', '.join(LABEL_SUFFIXES)}")
    if save_label.suffix.lower() == ".npy" and not is_single(photos):
        raise UsageError(f"{save_label} holds one label, there are many photos", "give a .json or .tsv file")
    is_joined = save_label.suffix.lower() != ".npy"  # labels of other pictures stay
    check_outputs([save_label], overwrite=overwrite or is_joined)
    if is_joined and save_label.exists():
        labels_in(save_label)
