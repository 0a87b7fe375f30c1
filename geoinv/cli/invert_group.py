"""What ``geoinv invert --same-person`` and ``--group`` do with the photos of one person."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .. import notices
from ..errors import PhotoError
from . import console
from .invert_files import report, result_of
from .invert_plan import InvertPlan
from .options import Frame
from .photo_files import PhotoFile
from .photo_groups import PhotoGroup
from .photo_worker import Result, named, provenance

if TYPE_CHECKING:
    from ..align import AlignedFace
    from ..inversion.group import Person
    from ..session import Session


@dataclass(frozen=True)
class GroupPlan(InvertPlan):
    """Options of the command, for photos that are one person's."""

    def settings_of(self, photo: PhotoFile) -> dict[str, Any]:
        """Settings that decide what the result looks like."""
        return {**super().settings_of(photo), "method": "group"}

    def work(self, session: Session, photo: PhotoFile) -> Result:
        """Invert the photos of one person and write their files."""
        from .targets import check_same_or_new, write_json

        assert isinstance(photo, PhotoGroup)
        photos, faces, warnings = _aligned(session, photo)
        files, settings = self.files_of(photo), self.settings_of(photo)
        with console.progress(f"fitting {len(faces)} photos", 100) as update:
            person = session.inverted_together(
                faces,
                sources=[each.name for each in photos],
                on_step=lambda step: update(int(100 * step.progress), f"fitting, loss {step.loss:.4f}"),
            )
        warnings += [
            f"{photos[index].path} is left out: it shows someone else "
            f"(identity distance {person.members.distances[index]:.2f})"
            for index in person.members.left_out
        ]
        made = person.inverted
        if person.is_interrupted:
            warnings.append(f"{photo.path}: interrupted after {made.inversion.steps} steps; the best so far is kept")
        for warning in warnings:
            console.warn(warning)
        check_same_or_new(files.aligned, made.inversion.photo, overwrite=self.overwrite)
        seen = session.seen(made)
        record = {
            **report(made.inversion),
            **seen.record,
            "photos": photos_record(photos, person),
            "warnings": [*warnings, *notices.given()],
        }
        written = files.write_pictures(session, made, seen)
        write_json(files.report, {**record, **provenance(photo, settings)})
        made.inversion.save(files.inversion)  # an inversion that is there tells that report and pictures are
        written += files.write_turntable(session, made, self.frames, self.frame or Frame.head)
        result = result_of(made, files, {**record, "device": session.device.type}, written)
        return replace(result, ends_run=person.is_interrupted)


def _aligned(session: Session, group: PhotoGroup) -> tuple[list[PhotoFile], list[AlignedFace], list[str]]:
    """Photos in which a face is found, the faces, and what speaks against the photos.

    Raises:
        PhotoError: No face in any of them.
    """
    photos, faces, warnings = [], [], []
    for photo in group.photos:
        try:
            faces.append(session.align(photo.read()))
        except PhotoError as error:
            if len(group.photos) == 1:
                raise
            warnings.append(f"{named(error, photo).message}: it is left out")
            continue
        photos.append(photo)
        warnings += [f"{photo.path}: {warning}" for warning in faces[-1].warnings]
    if not photos:
        raise PhotoError(f"{group.path}: no face in any of {len(group.photos)} photos", "give photos with a clear face")
    return photos, faces, warnings


def photos_record(photos: list[PhotoFile], person: Person) -> list[dict[str, Any]]:
    """What a report says of each photo: whether it was used, its camera, and how well the head fits it."""
    inversion, members = person.inverted.inversion, person.members
    poses = [inversion.pose, *(other.pose for other in inversion.others)]
    records: list[dict[str, Any]] = []
    for index, photo in enumerate(photos):
        record: dict[str, Any] = {
            "photo": photo.name,
            "used": index in members.kept,
            "identity_distance": round(members.distances[index], 4),
        }
        if index in members.kept:
            place = members.kept.index(index)
            yaw, pitch, _ = (float(angle) for angle in poses[place].as_vector()[0, :3].rad2deg())
            record |= {"yaw_deg": round(yaw, 3), "pitch_deg": round(pitch, 3), **person.fits[place]}
        records.append(record)
    return records
