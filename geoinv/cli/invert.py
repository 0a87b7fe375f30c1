"""``geoinv invert``: photos to heads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import notices
from ..errors import UsageError
from ..inversion.methods import METHODS
from . import console
from .options import (
    DEFAULT_OUT,
    DeviceOpt,
    FaceOpt,
    Frame,
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
    face_index,
    method_name,
    refinement_of,
    refuse_together,
    refuse_without,
)
from .photo_files import PhotoFile
from .photo_runs import Job, Result, provenance, run_photos

if TYPE_CHECKING:
    from ..align import AlignedFace
    from ..camera import CameraPose
    from ..inversion import Inversion, Inverted, Refinement
    from ..present.seen import SeenHead
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
    recursive: RecursiveOpt = False,
    model: ModelOpt = "mini",
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
    depth, normals), NAME_seen.png (what the photo did not show, tinted: it is guessed), NAME_turntable.mp4 and
    NAME_report.json. Ctrl-C ends optimise and pti early; the best so far is kept.
    """
    from ..present.video import usual_suffix

    run = console.command(quiet, json_output)
    refuse_together(
        "--no-turntable", {"--turntable": no_turntable and turntable is not None}, "they say how the head turns"
    )
    suffix = "none" if no_turntable else turntable.value if turntable is not None else usual_suffix()
    given = {"--frames": frames is not None, "--frame": frame is not None}
    refuse_without("a turntable", given if suffix == "none" else {}, "without one it changes nothing")
    refuse_together(
        "--camera-label", {"--face": camera_label is not None and face is not None}, "the photo is the crop"
    )
    check_labels(camera_label, save_label, photos, overwrite=overwrite)
    refinement = refinement_of(method, steps, time_budget, fixed_camera, seed)
    if refinement is not None and camera_label is not None:
        refinement = replace(refinement, refine_camera=False)
    turntable_frames = TURNTABLE_FRAMES if frames is None else frames

    def files_of(photo: PhotoFile) -> InvertFiles:
        return InvertFiles.in_folder(out, photo.stem, suffix)

    @cache
    def model_sha256() -> str:
        from ..checkpoints.store import generator_path, sha256_of

        return sha256_of(generator_path(model))

    def settings_of(photo: PhotoFile) -> dict[str, Any]:
        return {
            "method": method_name(method),
            "steps": steps,
            "time_budget": time_budget,
            "fixed_camera": fixed_camera,
            "camera_label": label_numbers(camera_label, photo),
            "turntable": suffix,
            "frames": None if suffix == "none" else turntable_frames,
            "frame": None if suffix == "none" else (frame or Frame.head).value,
            "landmarks": landmarks.value,
            "face": face,
            "seed": seed,
            "model_sha256": model_sha256(),
        }

    def is_label_saved(photo: PhotoFile) -> bool:
        return save_label is None or has_label(save_label, f"{photo.stem}_aligned.png")

    def prepare() -> Session:
        from ..session import Session

        session = Session.load(model, device, seed, landmarks=landmarks.value)
        session.check_crop()
        if method is not None:  # what was asked for by name is an error where it is missing, for all photos
            METHODS[method.value].prepare(session)
        console.talk(f"model {session.info.name} on {session.device}")
        return session

    def work(session: Session, photo: PhotoFile) -> Result:
        from ..camera.label_files import label_of, write_label
        from .targets import check_same_or_new, write_json

        files, settings = files_of(photo), settings_of(photo)
        aligned, pose = aligned_and_pose(session, photo, face, camera_label)
        for warning in aligned.warnings:
            console.warn(f"{photo.path}: {warning}")
        check_same_or_new(files.aligned, aligned.image, overwrite=overwrite)
        made = inverted(session, aligned, photo, pose, None if method is None else method.value, refinement)
        seen = session.seen(made)
        faces = {"face": aligned.face_index + 1, "faces": aligned.face_count}
        record = {**report(made.inversion), **seen.record, **faces, "warnings": [*aligned.warnings, *notices.given()]}
        written = files.write(session, made, seen, turntable_frames, frame or Frame.head)
        ran = {**settings, "method": made.inversion.method} if method is None else settings  # the default may fall back
        write_json(files.report, {**record, **provenance(photo, ran)})
        if save_label is not None:
            write_label(save_label, files.aligned.name, label_of(made.inversion.pose, session.orbit))
        made.inversion.save(files.inversion)  # last: an inversion that is there tells that the rest is
        return result_of(made, files, {**record, "device": session.device.type}, written)

    job = Job(
        "inverting",
        lambda photo: files_of(photo).outputs,
        lambda photo: files_of(photo).report,
        settings_of,
        prepare,
        work,
        is_label_saved,
    )
    run_photos(job, photos, overwrite=overwrite, as_json=run.as_json, recursive=recursive, face=face)


@dataclass(frozen=True)
class InvertFiles:
    """Files that the command writes for one photo.

    Args:
        aligned: The crop, as `align` writes it.
        sheet: Photo, reconstruction, depth and normals.
        seen: What the photo did not show.
        turntable: The turning head; None without.
        report: What was measured and by which settings.
        inversion: The head itself.
    """

    aligned: Path
    sheet: Path
    seen: Path
    turntable: Path | None
    report: Path
    inversion: Path

    @classmethod
    def in_folder(cls, folder: Path, stem: str, turntable: str) -> InvertFiles:
        """The files of a photo; ``turntable`` is its format, or "none"."""
        endings = ("_aligned.png", "_inversion.png", "_seen.png", f"_turntable.{turntable}", "_report.json", ".geoinv")
        aligned, sheet, seen, video, report, inversion = (folder / f"{stem}{ending}" for ending in endings)
        return cls(aligned, sheet, seen, None if turntable == "none" else video, report, inversion)

    @property
    def outputs(self) -> list[Path]:
        """The files that may not be there before the run; the last stands for all. The crop may, if it is the same."""
        videos = [] if self.turntable is None else [self.turntable]
        return [self.sheet, self.seen, *videos, self.report, self.inversion]

    def write(self, session: Session, made: Inverted, seen: SeenHead, frames: int, frame: Frame) -> list[Path]:
        """Write all pictures and the turntable, and return their paths; who pressed Ctrl-C should not wait for it."""
        from ..images import write_image
        from .writing import write_turning

        sheet, videos = session.inversion_sheet(made), []
        # first, as it takes longest: a run that is cut short should leave nothing behind
        if self.turntable is not None and not is_interrupted(made):
            write_turning(session, made.inversion, self.turntable, frames=frames, frame=frame)
            videos = [self.turntable]
        write_image(self.aligned, made.inversion.photo)
        write_image(self.sheet, sheet)
        write_image(self.seen, seen.picture)
        return [self.aligned, self.sheet, self.seen, *videos]


def is_interrupted(made: Inverted) -> bool:
    """Whether Ctrl-C ended the optimisation."""
    return made.run is not None and made.run.is_interrupted


def result_of(made: Inverted, files: InvertFiles, record: dict[str, Any], pictures: list[Path]) -> Result:
    """The line for people, the record for ``--json``, and the files that were written."""
    summary = (
        f"{made.inversion.source}: {record['psnr_db']:.1f} dB over the head{gain_of(made.inversion)}, "
        f"yaw {record['yaw_deg']:+.1f}, pitch {record['pitch_deg']:+.1f}, roll {record['roll_deg']:+.1f} degrees"
    )
    written = [files.inversion, *pictures, files.report]
    values = {"inversion": files.inversion, **record}
    if made.run is not None:
        values["interrupted"] = is_interrupted(made)
    return Result(summary, {**values, "files": written}, written, ends_run=is_interrupted(made))


def report(inversion: Inversion) -> dict[str, Any]:
    """The record of an inversion; everything in it is the same whenever the inversion is made again."""
    yaw_deg, pitch_deg, roll_deg = inversion.angles_deg
    return {
        "photo": inversion.source,
        "method": inversion.method,
        "steps": inversion.steps,
        **inversion.metrics,
        "yaw_deg": round(yaw_deg, 3),
        "pitch_deg": round(pitch_deg, 3),
        "roll_deg": round(roll_deg, 3),
        "outside_fraction": round(inversion.outside_fraction, 4),
        "model": inversion.generator,
        "model_sha256": inversion.generator_sha256,
        "seed": inversion.seed,
        "geoinv_version": inversion.version,
    }


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


def label_numbers(camera_label: Path | None, photo: PhotoFile) -> list[float] | None:
    """Return the 25 numbers of the photo's camera, None without a file of labels.

    Raises:
        UsageError: The file has no label of the photo.
    """
    if camera_label is None:
        return None
    from ..camera.label_files import read_label

    return [float(number) for number in read_label(camera_label, photo.name)]


def has_label(path: Path, picture: str) -> bool:
    """Whether a file of labels is there and has that of a picture."""
    from ..camera.label_files import labels_in

    return path.is_file() and (picture in (labels := labels_in(path)) or "" in labels)


def aligned_and_pose(
    session: Session, photo: PhotoFile, face: int | None, camera_label: Path | None
) -> tuple[AlignedFace, CameraPose | None]:
    """Return the aligned face, and its camera where a label gives it."""
    read = photo.read()
    if camera_label is None:
        return session.align(read, face=face_index(face)), None
    from ..align.given import given_crop
    from ..camera.label_files import pose_from_label, read_label

    pose = pose_from_label(read_label(camera_label, photo.name), str(camera_label), session.orbit)
    return given_crop(read, session.aligner, crop=session.crop), pose


def inverted(
    session: Session,
    aligned: AlignedFace,
    photo: PhotoFile,
    pose: CameraPose | None,
    method: str | None,
    refinement: Refinement | None,
) -> Inverted:
    """The inversion, with a bar for the steps of optimisation."""
    if refinement is None:
        return session.inverted(aligned, source=photo.name, pose=pose, method=method)
    label = f"{method} {photo.name}"
    with console.progress(label, 100) as update:
        made = session.inverted(
            aligned,
            source=photo.name,
            pose=pose,
            method=method,
            refinement=refinement,
            on_step=lambda report: update(int(100 * report.progress), f"{label}, loss {report.loss:.4f}"),
        )
    if made.run is not None and made.run.is_interrupted:
        console.warn(f"{photo.path}: interrupted after {made.run.steps} steps; the best so far is kept")
    return made


def gain_of(inversion: Inversion) -> str:
    """Gain of optimisation on the face, as words for the summary."""
    before = [value for name, value in inversion.metrics.items() if name.endswith("_face_psnr_db")]
    if not before:
        return ""
    return f", face {before[0]:.1f} -> {inversion.metrics['face_psnr_db']:.1f} dB in {inversion.steps} steps"
