"""``geoinv align``: photos to the crop that every generator expects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import notices
from ..errors import UsageError
from . import console
from .options import (
    DEFAULT_OUT,
    FaceOpt,
    JsonOpt,
    Landmarks,
    LandmarksOpt,
    OutOpt,
    OverwriteOpt,
    PhotosArg,
    QuietOpt,
    RecursiveOpt,
    face_index,
)
from .photo_files import PhotoFile
from .photo_runs import run_photos
from .photo_worker import Job, Result, provenance

if TYPE_CHECKING:
    from ..align import AlignedFace, FaceAligner
    from ..align.face import ImageArray


def align(
    photos: PhotosArg,
    out: OutOpt = DEFAULT_OUT,
    landmarks: LandmarksOpt = Landmarks.mediapipe,
    face: FaceOpt = None,
    recursive: RecursiveOpt = False,
    overlay: Annotated[
        bool, typer.Option("--overlay", help="Also draw landmarks and crop on the photo: NAME_overlay.png.")
    ] = False,
    fit: Annotated[
        bool, typer.Option("--fit", help="Also fit the head mesh to the landmarks and draw it: NAME_fit.png.")
    ] = False,
    overwrite: OverwriteOpt = False,
    json_output: JsonOpt = False,
    quiet: QuietOpt = False,
) -> None:
    """Find the face in each PHOTO and cut the upright 512 px crop.

    Writes NAME_aligned.png and NAME_aligned.json (landmarks, the crop's transform from the photo, the fitted head).
    """
    run = console.command(quiet, json_output)
    if fit and landmarks is not Landmarks.mediapipe:
        raise UsageError("--fit needs MediaPipe's 468 landmarks", "leave --landmarks out")

    def outputs_of(photo: PhotoFile) -> list[Path]:
        names = ["_overlay.png"] * overlay + ["_fit.png"] * fit + ["_aligned.png", "_aligned.json"]
        return [out / f"{photo.stem}{name}" for name in names]

    def settings_of(photo: PhotoFile) -> dict[str, Any]:
        return {"landmarks": landmarks.value, "face": face, "fit": fit}

    def prepare() -> FaceAligner:
        from ..align import FaceAligner

        return FaceAligner(backend=landmarks.value)

    def work(aligner: FaceAligner, photo: PhotoFile) -> Result:
        from ..align import draw_overlay
        from ..images import write_image
        from .targets import write_json

        read = photo.read()
        aligned = aligner.align(read, face=face_index(face))
        for warning in aligned.warnings:
            console.warn(f"{photo.path}: {warning}")
        files = outputs_of(photo)
        if overlay:
            write_image(files[0], draw_overlay(read.pixels, aligned))
        write_image(files[-2], aligned.image)
        facts = {
            "photo": photo.name,
            "face": aligned.face_index + 1,
            "faces": aligned.face_count,
            "yaw_deg": round(float(aligned.yaw_deg), 3),
            "pitch_deg": round(float(aligned.pitch_deg), 3),
            "roll_deg": round(float(aligned.roll_deg), 3),
            "outside_fraction": round(aligned.outside_fraction, 4),
            "warnings": [*aligned.warnings, *notices.given()],
        }
        geometry: dict[str, Any] = {
            "matrix": aligned.matrix.tolist(),
            "landmarks5": aligned.landmarks5.tolist(),
            "landmarks": aligned.landmarks.tolist(),
            "source_size": list(aligned.source_size),
        }
        if fit:
            picture, geometry["fit"] = _fit(read.pixels, aligned)
            write_image(files[-3], picture)
        write_json(files[-1], {**facts, **geometry, **provenance(photo, settings_of(photo))})
        summary = (
            f"{photo.name}: face {aligned.face_index + 1} of {aligned.face_count}, yaw {aligned.yaw_deg:+.1f}, "
            f"pitch {aligned.pitch_deg:+.1f}, roll {aligned.roll_deg:+.1f} degrees"
        )
        return Result(summary, {**facts, "aligned": files[-2], "files": files}, files)

    job = Job("aligning", outputs_of, lambda photo: outputs_of(photo)[-1], settings_of, prepare, work)
    run_photos(job, photos, overwrite=overwrite, as_json=run.as_json, recursive=recursive, face=face)


def _fit(photo: ImageArray, aligned: AlignedFace) -> tuple[ImageArray, dict[str, Any]]:
    """The photo with the fitted mesh over it, and the fit as JSON values."""
    import torch

    from ..align.crop import invert_affine
    from ..shape import fit_landmarks, load_head_model
    from ..shape.picture import draw_over_photo

    model, side = load_head_model(), aligned.image.shape[0]
    fit = fit_landmarks(model, torch.from_numpy(aligned.landmarks[:, :2] / side))
    from_crop = invert_affine(aligned.matrix / side)
    return draw_over_photo(photo, model, fit.codes, fit.camera, from_crop), fit.as_dict()
