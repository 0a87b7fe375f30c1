"""Gain of optimisation over its start, side by side: on held-out heads in views it never saw, and on photos.

Both columns are measured on the same pixels: those of the true head, and on photos those of
``inversion.refine_inversion.compared_metrics``.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..align.hull import landmark_hull
from ..errors import MissingEncoderError, PhotoError
from ..heads import AnchoredHead
from ..images import read_image
from ..images.tensors import photo_bytes
from ..inversion.methods import optimised_method
from ..inversion.optimise.photo_target import PhotoTarget
from ..inversion.optimise.refine import HeadEstimate, Refinement, refine_head
from ..notices import notify
from ..progress import OnCount
from .heads import head_metrics, measure_head, true_descriptors
from .held_out import HeldOutHeads, load_held_out
from .means import Means, Metrics
from .variants import encoded_by

if TYPE_CHECKING:
    from ..align.face import Face
    from ..models.families import OfPlanes
    from ..session import Session


def evaluate_refined_heads(
    session: Session,
    method: str,
    settings: Refinement,
    held_out: HeldOutHeads | None = None,
    *,
    limit: int | None = None,
    on_head: OnCount | None = None,
) -> dict[str, Metrics]:
    """Metrics by name of the way they were made: the start's and the method's.

    Args:
        session: The models to measure.
        method: ``optimise`` or ``pti``.
        settings: Budget and loss weights.
        held_out: The shipped heads by default.
        limit: Number of heads to measure, from the first; all by default.
        on_head: Function that is called with the number of heads done.
    """
    held_out = held_out if held_out is not None else load_held_out()
    count = held_out.count_up_to(limit)
    generator = session.generator_of_planes
    own = optimised_method(method).complete(settings)
    before, after, name = Means(), Means(), "encoder"
    for index in range(count):
        head = held_out.head(index)
        picture = head.photo(index)  # [1, 3, 256, 256]
        start, name = _start(session, generator, picture.to(session.device))
        target = PhotoTarget.from_picture(
            picture, face_of(session, picture), generator.config.neural_resolution, session.device
        )
        best = refine_head(generator, start, target, own).estimate
        with torch.no_grad():
            truths = true_descriptors(head)
            measure_head(before, start.head(generator), start.pose, head, truths)
            measure_head(after, best.head(generator), best.pose, head, truths)
        if on_head is not None:
            on_head(index + 1)
    return {name: head_metrics(before, count), method: head_metrics(after, count)}


@torch.no_grad()
def _start(session: Session, generator: OfPlanes, photo: Tensor) -> tuple[HeadEstimate, str]:
    """Start of the method, and the start's name; without an encoder it is the mean head, seen from the front."""
    try:
        encoder = session.encoder
    except MissingEncoderError:
        notify("the model has no encoder: optimisation starts from its mean head")
        codes = generator.w_avg.detach()[None, None].repeat(1, generator.config.num_ws, 1)
        return HeadEstimate(codes, torch.zeros(6, device=session.device)), "mean"
    made = encoded_by(encoder, generator, aligner=session.fit_aligner)(photo)
    plain = made.head.plain
    on_mesh = plain.on_mesh if isinstance(plain, AnchoredHead) else None
    return HeadEstimate(plain.w_plus, made.pose.as_vector()[0], on_mesh=on_mesh), "encoder"


def face_of(session: Session, picture: Tensor) -> Tensor:
    """[H, H] 1 on the face; empty where none is found, and then the start's head alone is compared."""
    return hull_of(session.aligner.detect(photo_bytes(picture)), picture.shape[-1])


def hull_of(faces: Sequence[Face], side: int) -> Tensor:
    """[side, side] 1 on the first of the faces that were found in a picture; empty where none was."""
    if not faces:
        return torch.zeros(side, side)
    return torch.from_numpy(landmark_hull(faces[0].landmarks, (side, side)))


def evaluate_refined_photos(
    session: Session,
    photos: Sequence[Path],
    method: str,
    settings: Refinement,
    *,
    on_photo: OnCount | None = None,
    on_skip: Callable[[Path, PhotoError], None] | None = None,
) -> dict[str, Metrics]:
    """Metrics by name of the way they were made: the start's and the method's, whose column has the median gains too.

    Args:
        session: The models to measure.
        photos: Paths of photos; each is inverted anew.
        method: ``optimise`` or ``pti``.
        settings: Budget and loss weights.
        on_photo: Function that is called with the number of photos done.
        on_skip: Function that is called with each photo that cannot be used, and why.

    Raises:
        PhotoError: No photo could be used.
    """
    measured: list[dict[str, float]] = []
    skipped = 0
    for index, path in enumerate(photos):
        try:
            face = session.align(read_image(path))
            measured.append(
                session.invert(face, method=method, refinement=replace(settings, seed=session.seed)).metrics
            )
        except PhotoError as error:
            skipped += 1
            if on_skip is not None:
                on_skip(path, error)
        if on_photo is not None:
            on_photo(index + 1)
    if not measured:
        raise PhotoError(f"none of the {len(photos)} photos could be used", "each needs a face that can be found")
    start = next(name for name in measured[0] if name.endswith("_face_psnr_db")).removesuffix("_face_psnr_db")
    columns = {start: _column(measured, f"{start}_"), method: _column(measured, "")}
    for metric in ("face", "head"):
        gains = [values[f"{metric}_psnr_db"] - values[f"{start}_{metric}_psnr_db"] for values in measured]
        columns[method][f"{metric}_gain_db"] = statistics.median(gains)
    for column in columns.values():
        column.update(photos=len(measured), skipped=skipped)
    return columns


def _column(measured: list[dict[str, float]], prefix: str) -> Metrics:
    names = {"face_psnr_db": "face_psnr_db", "head_psnr_db": "head_psnr_db"}
    names |= {"identity": "identity_input", "identity_side": "identity_novel"}
    return {metric: statistics.mean(values[prefix + name] for values in measured) for name, metric in names.items()}
