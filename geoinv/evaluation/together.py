"""What several photos of a person bring: heads of one photo and of more, side by side.

On held-out heads the views at +-45 degrees are never among the photos. Of people in photos no truth is known but the
photos; whether a head is like the person from the side is measured against each of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..camera import CameraPose
from ..camera.orbits import turned
from ..errors import UsageError
from ..faces.identity import identity_descriptor
from ..heads import Head
from ..images import list_images
from ..images.tensors import photo_bytes, photo_tensor
from ..inversion.group.together import reconstruct_together
from ..inversion.landmark_fit import landmarks_in
from ..models.encoder import encoder_input
from ..progress import OnCount
from .heads import head_metrics, measure_head, true_descriptors
from .held_out import HeldOutHead, HeldOutHeads, load_held_out
from .means import Means, Metrics
from .photos import IDENTITY_YAW_RAD
from .refinement import hull_of
from .variants import encoded_by

if TYPE_CHECKING:
    from ..align import AlignedFace
    from ..session import Session

VIEWS_DEG: Mapping[int, tuple[int, ...]] = {2: (0, 30), 3: (0, -30, 30), 5: (0, -30, 30, -15, 15)}
"""Yaws of the photos that a head is made of, by their number; those of 1 are the input view."""


def evaluate_heads_together(
    session: Session,
    held_out: HeldOutHeads | None = None,
    *,
    limit: int | None = None,
    on_head: OnCount | None = None,
) -> dict[str, Metrics]:
    """Metrics of :func:`geoinv.evaluation.evaluate_heads` by the number of photos.

    Args:
        session: The models to measure.
        held_out: The shipped heads by default.
        limit: Number of heads to measure, from the first; all by default.
        on_head: Function that is called with the number of heads done.

    Raises:
        UsageError: The file has no views at +-45 degrees.
    """
    held_out = held_out if held_out is not None else load_held_out()
    if not {angle for angles in VIEWS_DEG.values() for angle in angles} <= set(held_out.yaws_deg):
        raise UsageError("these held-out heads have too few views", "use those that ship with geoinv")
    count = held_out.count_up_to(limit)
    columns = {number: Means() for number in (1, *VIEWS_DEG)}
    alone = encoded_by(
        session.encoder, session.generator_of_planes, session.triplane_branch, aligner=session.fit_aligner
    )
    for index in range(count):
        head = held_out.head(index)
        with torch.no_grad():
            truths = true_descriptors(head)
            made = alone(head.photo(index).to(session.device))
            measure_head(columns[1], made.head, made.pose, head, truths)
        for number, angles_deg in VIEWS_DEG.items():
            shown, pose = _of_views(session, head, index, angles_deg)
            with torch.no_grad():
                measure_head(columns[number], shown, pose, head, truths)
        if on_head is not None:
            on_head(index + 1)
    return {_named(number): head_metrics(means, count) for number, means in columns.items()}


def _of_views(session: Session, head: HeldOutHead, index: int, angles_deg: Sequence[int]) -> tuple[Head, CameraPose]:
    """The head of a held-out head's views at some yaws, and the first view's camera."""
    pictures = [head.photo(index, head.yaws_deg.index(angle)) for angle in angles_deg]
    side, found = pictures[0].shape[-1], [session.aligner.detect(photo_bytes(picture)) for picture in pictures]
    made = reconstruct_together(
        torch.cat(pictures).to(session.device),
        torch.stack([hull_of(faces, side) for faces in found]),
        session.generator_of_planes,
        session.encoder,
        session.triplane_branch,
        directions=session.directions_or_notice(),
        landmarks=[landmarks_in(faces[0].landmarks, side) if faces else None for faces in found],
    )
    return made.head, made.pose


def _named(number: int) -> str:
    return "1 photo" if number == 1 else f"{number} photos"


@dataclass(frozen=True)
class PersonPhotos:
    """Photos of one person.

    Args:
        given: Photos that a head is made of, the first one also alone.
        kept_back: Photos that no head is made of; each face in them is the person's.
    """

    given: Sequence[Path]
    kept_back: Sequence[Path]

    @classmethod
    def in_folder(cls, folder: Path) -> PersonPhotos:
        """The photos in a folder; those in its folder ``kept-back`` are kept back.

        Raises:
            UsageError: Less than two photos to give, or none kept back.
        """
        given, kept_back = list_images(folder), folder / KEPT_BACK
        if len(given) < 2 or not kept_back.is_dir():
            raise UsageError(
                f"{folder} has not two photos of a person, and more in {KEPT_BACK}/",
                "heads are made of the first ones, and compared with the others",
            )
        return cls(given, list_images(kept_back))


KEPT_BACK = "kept-back"

_ASIDE_RAD = math.radians(10.0)
"""Yaw beside the first photo's from which on a face is one from the side."""


def evaluate_persons(
    session: Session, persons: Sequence[PersonPhotos], *, on_person: OnCount | None = None
) -> dict[str, Metrics]:
    """Identity metrics of heads of the first photo of each person, and of heads of all photos that are given.

    Args:
        session: The models to measure.
        persons: Photos of each person.
        on_person: Function that is called with the number of persons done.

    Returns:
        For both the mean identity distances to the first photo, in its own view (``identity_input``) and in views
        turned by 25 degrees to either side (``identity_novel``), and of these to the faces that were kept back
        (``identity_kept_back``). The network knows a face from another side less surely, so both favour heads that
        show the first photo from everywhere. Two do not: ``identity_kept_side`` is of each of these views to the faces
        that were kept back and turned to its side, by 10 degrees or more from the first photo, and
        ``identity_kept_view`` is of each face that was kept back to the head as seen from where E0 says that it was
        taken. ``identity_real`` says what ``identity_novel`` should be: it is of the same faces from the side, photos
        themselves, to the first photo. Of all photos also ``left_out``, how many were taken for someone else's.

    Raises:
        PhotoError: A photo that cannot be used.
    """
    means, left_out = {"1 photo": Means(), "all photos": Means()}, 0
    for number, photos in enumerate(persons, start=1):
        faces = [session.align(path) for path in photos.given]
        with torch.no_grad():
            known = _descriptor_of(faces[0])
            kept_back = [face for path in photos.kept_back for face in _every_face(session, path)]
            front = _pose_of(session, faces[0])
            others = [_KeptBack.of(session, face, front) for face in kept_back]
            alone = session.inverted(faces[0])
        person = session.inverted_together(faces)
        left_out += len(person.members.left_out)
        for name, made in (("1 photo", alone), ("all photos", person.inverted)):
            _measure_person(means[name], made.head, made.inversion.pose, known, others)
        if on_person is not None:
            on_person(number)
    names = (
        *("identity_input", "identity_novel", "identity_real"),
        *("identity_kept_back", "identity_kept_side", "identity_kept_view"),
    )
    columns: dict[str, Metrics] = {
        column: {"persons": len(persons), **{name: values.mean(name) for name in names}}
        for column, values in means.items()
    }
    columns["all photos"]["left_out"] = left_out
    return columns


def _every_face(session: Session, path: Path) -> Iterator[AlignedFace]:
    face = session.align(path, face=0)
    yield face
    for index in range(1, face.face_count):
        yield session.align(path, face=index)


def _descriptor_of(face: AlignedFace) -> Tensor:
    return identity_descriptor(photo_tensor(face.image))


def _pose_of(session: Session, face: AlignedFace) -> CameraPose | None:
    """The camera of an aligned photo, where the encoder finds cameras."""
    photo = encoder_input(photo_tensor(face.image)).to(session.device)
    camera: CameraPose | None = session.encoder(photo).camera
    return camera


@dataclass(frozen=True)
class _KeptBack:
    """A face that was kept back.

    Args:
        descriptor: [1, 128].
        pose: Its camera, where the encoder finds cameras.
        side: 1 or -1 where its camera is turned to that side of the first photo's, 0 where it is hardly turned.
    """

    descriptor: Tensor
    pose: CameraPose | None
    side: int

    @classmethod
    def of(cls, session: Session, face: AlignedFace, front: CameraPose | None) -> _KeptBack:
        """Of an aligned photo, beside the first photo's camera ``front``, where the encoder finds cameras."""
        pose = _pose_of(session, face)
        turn = 0.0 if pose is None or front is None else float(pose.yaw_rad - front.yaw_rad)
        side = 0 if abs(turn) < _ASIDE_RAD else int(math.copysign(1, turn))
        return cls(_descriptor_of(face), pose, side)


@torch.no_grad()
def _measure_person(means: Means, head: Head, pose: CameraPose, known: Tensor, others: Sequence[_KeptBack]) -> None:
    """Add distances of a head to ``known`` [1, 128], of the photo that ``pose`` is of, and to faces that were kept
    back."""

    def descriptor(seen_from: CameraPose) -> Tensor:
        return identity_descriptor(head.view(seen_from.camera(head.orbit)).cpu().over_grey())

    means.add("identity_input", (descriptor(pose) - known).norm(dim=1))
    for side in (-1, 1):
        seen = descriptor(turned(pose, side * IDENTITY_YAW_RAD))
        means.add("identity_novel", (seen - known).norm(dim=1))
        for other in others:
            distance = (seen - other.descriptor).norm(dim=1)
            means.add("identity_kept_back", distance)
            if other.side == side:
                means.add("identity_kept_side", distance)
    for other in others:
        if other.side:
            means.add("identity_real", (other.descriptor - known).norm(dim=1))
        if other.pose is not None:
            means.add("identity_kept_view", (descriptor(other.pose) - other.descriptor).norm(dim=1))
