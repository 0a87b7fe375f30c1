"""What ``geoinv invert`` does with each photo, as a value that can be sent to other processes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import notices
from ..inversion.methods import DEFAULT, METHODS
from . import console
from .invert_files import InvertFiles, report, result_of
from .options import Frame, face_index
from .photo_files import PhotoFile
from .photo_worker import Job, Result, provenance

if TYPE_CHECKING:
    from ..align import AlignedFace
    from ..camera import CameraPose
    from ..inversion import Inverted, Refinement
    from ..loaded_models import Landmarks
    from ..session import Session


@dataclass(frozen=True)
class InvertPlan:
    """Options of the command that decide what is made of a photo.

    Args:
        out: Folder of the results.
        model: Name or file of the generator.
        method: Name of the method that was asked for; None takes the default, which may fall back.
        refinement: Budget of optimise and pti.
        steps: Steps that were asked for.
        time_budget: Seconds that were asked for.
        fixed_camera: Whether the camera of optimise and pti stays.
        camera_label: File with EG3D's camera of the photo.
        save_label: File that EG3D's camera is written to.
        turntable: Format of the turning head, or "none".
        frames: Frames of the turntable.
        frame: Part of the head that it shows; None takes the whole head.
        landmarks: Face detector.
        face: Number of the face, from 1; None takes the largest.
        device: Where to compute.
        seed: Seed of everything random.
        overwrite: Whether results that exist are replaced.
        encoder: File or registered name of the encoder; None for the generator's usual one.
        details: File or registered name of the local branch; None for the usual one.
    """

    out: Path
    model: str
    method: str | None
    refinement: Refinement | None
    steps: int | None
    time_budget: float | None
    fixed_camera: bool
    camera_label: Path | None
    save_label: Path | None
    turntable: str
    frames: int
    frame: Frame | None
    landmarks: Landmarks
    face: int | None
    device: str
    seed: int
    overwrite: bool
    encoder: str | None = None
    details: str | None = None

    def job(self) -> Job[Session]:
        """The work on each photo."""
        return Job(
            "inverting",
            self.outputs_of,
            self.record_of,
            self.settings_of,
            self.prepare,
            self.work,
            self.is_label_saved,
        )

    def files_of(self, photo: PhotoFile) -> InvertFiles:
        """Files of the photo's result."""
        return InvertFiles.in_folder(self.out, photo.stem, self.turntable)

    def outputs_of(self, photo: PhotoFile) -> list[Path]:
        """Files that may not be there before."""
        return self.files_of(photo).outputs

    def record_of(self, photo: PhotoFile) -> Path:
        """File that says what the result was made from."""
        return self.files_of(photo).report

    def settings_of(self, photo: PhotoFile) -> dict[str, Any]:
        """Settings that decide what the result looks like."""
        has_turntable = self.turntable != "none"
        return {
            "method": self.method or DEFAULT,
            "steps": self.steps,
            "time_budget": self.time_budget,
            "fixed_camera": self.fixed_camera,
            "camera_label": label_numbers(self.camera_label, photo),
            "turntable": self.turntable,
            "frames": self.frames if has_turntable else None,
            "frame": (self.frame or Frame.head).value if has_turntable else None,
            "landmarks": self.landmarks,
            "face": self.face,
            "seed": self.seed,
            "model_sha256": _model_sha256(self.model),
            **self._other_weights(),
        }

    def _other_weights(self) -> dict[str, str]:
        """Hashes of the files that stand in for those beside the generator."""
        from ..checkpoints.registry import files_elsewhere

        used = files_elsewhere(self.model, self.encoder, self.details)
        return {f"{part}_sha256": _sha256(path) for part, path in used.items()}

    def is_label_saved(self, photo: PhotoFile) -> bool:
        """Whether the photo's camera is in the file of labels, where one was asked for."""
        return self.save_label is None or has_label(self.save_label, f"{photo.stem}_aligned.png")

    def prepare(self) -> Session:
        """A session with what the method needs; a missing method that was asked for by name ends the run."""
        from ..session import Session

        session = Session.load(
            self.model,
            self.device,
            self.seed,
            landmarks=self.landmarks,
            encoder=self.encoder,
            details=self.details,
        )
        session.check_crop()
        if self.method is not None:
            METHODS[self.method].prepare(session)
        console.talk(f"model {session.info.name} on {session.device}")
        return session

    def work(self, session: Session, photo: PhotoFile) -> Result:
        """Invert one photo and write its files."""
        from ..camera.label_files import label_of, write_label
        from .targets import check_same_or_new, write_json

        files, settings = self.files_of(photo), self.settings_of(photo)
        aligned, pose = aligned_and_pose(session, photo, self.face, self.camera_label)
        for warning in aligned.warnings:
            console.warn(f"{photo.path}: {warning}")
        check_same_or_new(files.aligned, aligned.image, overwrite=self.overwrite)
        made = inverted(session, aligned, photo, pose, self.method, self.refinement)
        seen = session.seen(made)
        faces = {"face": aligned.face_index + 1, "faces": aligned.face_count}
        record = {**report(made.inversion), **seen.record, **faces, "warnings": [*aligned.warnings, *notices.given()]}
        written = files.write_pictures(session, made, seen)
        # the default may fall back
        ran = {**settings, "method": made.inversion.method} if self.method is None else settings
        write_json(files.report, {**record, **provenance(photo, ran)})
        if self.save_label is not None:
            write_label(self.save_label, files.aligned.name, label_of(made.inversion.pose, session.orbit))
        made.inversion.save(files.inversion)  # an inversion that is there tells that report and pictures are
        written += files.write_turntable(session, made, self.frames, self.frame or Frame.head)
        return result_of(made, files, {**record, "device": session.device.type}, written)


@cache
def _model_sha256(model: str) -> str:
    from ..checkpoints.store import generator_path, sha256_of

    return sha256_of(generator_path(model))


@cache
def _sha256(path: Path) -> str:
    from ..checkpoints.store import sha256_of

    return sha256_of(path)


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
