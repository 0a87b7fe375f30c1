"""What several photos of a person bring: heads of one photo and of more, side by side.

On held-out heads the views at +-45 degrees are never among the photos. Of people in photos no truth is known but the
photos; whether a head is like the person from the side is measured against each of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..camera import CameraPose
from ..camera.orbits import turned
from ..errors import UsageError
from ..faces.identity import identity_descriptor
from ..heads import Head
from ..images.tensors import photo_tensor
from ..inversion.group.together import reconstruct_together
from ..progress import OnCount
from .heads import head_metrics, measure_head, true_descriptors
from .held_out import HeldOutHead, HeldOutHeads, load_held_out
from .means import Means, Metrics
from .refinement import face_of
from .variants import encoded_by

if TYPE_CHECKING:
    from ..session import Session

VIEWS_DEG: Mapping[int, tuple[int, ...]] = {2: (0, 30), 3: (0, -30, 30), 5: (0, -30, 30, -15, 15)}
"""Yaws of the photos that a head is made of, by their number; those of 1 are the input view."""

_SIDES_RAD = (-math.radians(25.0), math.radians(25.0))


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
    count = len(held_out) if limit is None else min(limit, len(held_out))
    columns = {number: Means() for number in (1, *VIEWS_DEG)}
    alone = encoded_by(session.encoder, session.triplane_generator, session.triplane_branch)
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
    made = reconstruct_together(
        torch.cat(pictures).to(session.device),
        torch.stack([face_of(session, picture) for picture in pictures]),
        session.triplane_generator,
        session.encoder,
        session.triplane_branch,
        directions=session.directions_or_notice(),
    )
    return made.head, made.pose


def _named(number: int) -> str:
    return "1 photo" if number == 1 else f"{number} photos"


def evaluate_persons(
    session: Session, persons: Sequence[Sequence[Path]], *, on_person: OnCount | None = None
) -> dict[str, Metrics]:
    """Identity metrics of heads of the first photo of each person, and of heads of all photos.

    Args:
        session: The models to measure.
        persons: Paths of each person's photos.
        on_person: Function that is called with the number of persons done.

    Returns:
        For both: ``identity_input``, distance of the head in the first photo's view to that photo; ``identity_novel``,
        of views turned from it by 25 degrees to either side, to the same photo; ``identity_others``, of these views to
        the person's other photos. Of all photos also ``left_out``, how many were taken for someone else's.

    Raises:
        PhotoError: A photo that cannot be used.
        UsageError: A person of a single photo.
    """
    means, left_out = {"1 photo": Means(), "all photos": Means()}, 0
    for number, paths in enumerate(persons, start=1):
        if len(paths) < 2:
            raise UsageError(f"{paths[0]} is the only photo of its person", "give two or more of each")
        faces = [session.align(path) for path in paths]
        with torch.no_grad():
            known = torch.cat([identity_descriptor(photo_tensor(face.image)) for face in faces])
            alone = session.inverted(faces[0])
        person = session.inverted_together(faces)
        left_out += len(person.members.left_out)
        for name, made in (("1 photo", alone), ("all photos", person.inverted)):
            _measure_person(means[name], made.head, made.inversion.pose, known)
        if on_person is not None:
            on_person(number)
    names = ("identity_input", "identity_novel", "identity_others")
    columns: dict[str, Metrics] = {
        column: {"persons": len(persons), **{name: values.mean(name) for name in names}}
        for column, values in means.items()
    }
    columns["all photos"]["left_out"] = left_out
    return columns


@torch.no_grad()
def _measure_person(means: Means, head: Head, pose: CameraPose, known: torch.Tensor) -> None:
    """Add distances of a head to the descriptors [K, 128] of its person's photos, of which ``pose`` is the first's."""

    def descriptor(seen_from: CameraPose) -> torch.Tensor:
        return identity_descriptor(head.view(seen_from.camera(head.orbit)).cpu().over_grey())

    means.add("identity_input", (descriptor(pose) - known[:1]).norm(dim=1))
    for side in _SIDES_RAD:
        distances = (descriptor(turned(pose, side)) - known).norm(dim=1)
        means.add("identity_novel", distances[:1])
        means.add("identity_others", distances[1:].mean()[None])
