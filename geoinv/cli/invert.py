"""``geoinv invert``: photos to heads."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import output
from .batch import Job, Result, run_photos
from .options import (
    DEFAULT_OUT,
    DeviceOpt,
    FaceOpt,
    JsonOpt,
    Landmarks,
    LandmarksOpt,
    ModelOpt,
    OutOpt,
    OverwriteOpt,
    PhotosArg,
    QuietOpt,
    SeedOpt,
    face_index,
)

if TYPE_CHECKING:
    from ..inversion import Inversion
    from ..session import Session

TURNTABLE_FRAMES = 48


class Turntable(str, Enum):
    """Formats of the turntable, or none at all."""

    mp4 = "mp4"
    gif = "gif"
    none = "none"


def invert(
    photos: PhotosArg,
    out: OutOpt = DEFAULT_OUT,
    model: ModelOpt = "mini",
    turntable: Annotated[Turntable, typer.Option("--turntable", help="Format of the turning head.")] = Turntable.mp4,
    no_turntable: Annotated[bool, typer.Option("--no-turntable", help="The same as --turntable none.")] = False,
    frames: Annotated[int, typer.Option("--frames", min=2, max=1000, help="Frames of the turntable.")] = (
        TURNTABLE_FRAMES
    ),
    landmarks: LandmarksOpt = Landmarks.mediapipe,
    face: FaceOpt = None,
    device: DeviceOpt = "auto",
    seed: SeedOpt = 0,
    overwrite: OverwriteOpt = False,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Turn the face in each PHOTO into a 3D head.

    Writes NAME.geoinv (for render, edit and export-mesh), NAME_aligned.png, NAME_inversion.png (photo, reconstruction,
    depth, normals), NAME_turntable.mp4 and NAME_report.json.
    """
    output.set_quiet(quiet)
    suffix = "none" if no_turntable else turntable.value

    def outputs_of(photo: Path) -> list[Path]:
        endings = ["_inversion.png", "_report.json", ".geoinv"]
        if suffix != "none":
            endings.insert(1, f"_turntable.{suffix}")
        return [out / f"{photo.stem}{ending}" for ending in endings]

    def prepare() -> Session:
        from ..session import Session

        session = Session.load(model, device, seed, landmarks=landmarks.value)
        session.check_crop()
        output.talk(f"model {session.info.name} on {session.device}")
        return session

    def work(session: Session, photo: Path) -> Result:
        from ..images import read_image, write_image
        from ..inversion.pictures import inversion_sheet
        from .outputs import check_same_or_new, write_json
        from .writing import write_turntable

        image = read_image(photo)
        aligned = session.align(image, face=face_index(face))
        for warning in aligned.warnings:
            output.warn(f"{photo}: {warning}")
        crop = out / f"{photo.stem}_aligned.png"
        check_same_or_new(crop, aligned.image, overwrite=overwrite)
        inversion, reconstruction = session.invert_and_render(aligned, source=photo.name)
        files = outputs_of(photo)
        sheet = inversion_sheet(inversion, reconstruction)
        if suffix != "none":  # first, as it takes longest: a run that is cut short should leave nothing behind
            write_turntable(session, inversion, files[1], frames=frames)
        write_image(crop, aligned.image)
        write_image(files[0], sheet)
        values = report(inversion)
        write_json(files[-2], {**values, "warnings": list(aligned.warnings), "turntable_frames": frames})
        inversion.save(files[-1])  # last: an inversion that is there tells that the rest is
        summary = (
            f"{photo.name}: {values['psnr_db']:.1f} dB over the head, yaw {values['yaw_deg']:+.1f}, "
            f"pitch {values['pitch_deg']:+.1f}, roll {values['roll_deg']:+.1f} degrees"
        )
        made = [files[-1], crop, *files[:-1]]
        facts = {"inversion": files[-1], **values, "device": session.device.type, "warnings": list(aligned.warnings)}
        return Result(summary, {**facts, "files": made}, made)

    run_photos(Job("inverting", outputs_of, prepare, work), photos, overwrite=overwrite, as_json=json_output)


def report(inversion: Inversion) -> dict[str, Any]:
    """What is told of an inversion; everything here is the same whenever it is made again."""
    yaw_deg, pitch_deg, roll_deg = inversion.angles_deg
    return {
        "photo": inversion.source,
        **inversion.metrics,
        "yaw_deg": round(yaw_deg, 3),
        "pitch_deg": round(pitch_deg, 3),
        "roll_deg": round(roll_deg, 3),
        "model": inversion.generator,
        "model_sha256": inversion.generator_sha256,
        "seed": inversion.seed,
        "geoinv_version": inversion.version,
    }
