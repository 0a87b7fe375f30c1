"""Ways from a photo to a head that are measured against each other: what the tables of ``geoinv eval`` compare.

A way is a name and one function from a photo to a reconstructed head, which is seen through any camera: a variant with
details of its own beside its code is measured exactly as the plain encoder is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from ..images.tensors import photo_bytes
from ..inversion.landmark_fit import landmarks_in
from ..inversion.reconstruct import Reconstructed, reconstruct

if TYPE_CHECKING:
    from torch import nn

    from ..align import FaceAligner
    from ..heads import Alignment
    from ..models.families import OfPlanes
    from ..models.local_branch import LocalBranch

Invert = Callable[[Tensor], Reconstructed]
"""Photo [1, 3, H, H] in [0, 1] on the generator's device -> the head, ready to be seen."""


@dataclass(frozen=True)
class Variant:
    """A row of a comparison.

    Args:
        name: Heading of the row.
        invert: Function from photo to head; its time is the row's time of an inversion.
    """

    name: str
    invert: Invert


def encoded_by(
    encoder: nn.Module,
    generator: OfPlanes,
    branch: LocalBranch | None = None,
    alignment: Alignment = "hybrid",
    *,
    aligner: FaceAligner | None = None,
) -> Invert:
    """Function that inverts a photo by :func:`geoinv.inversion.reconstruct` with given networks.

    Its time includes all that does not depend on a view, and the detector of ``aligner``, to whose landmarks shapes on
    the head mesh are fitted; None leaves them as the encoder guesses them.
    """

    def invert(photo: Tensor) -> Reconstructed:
        landmarks = [landmarks_seen(photo, aligner)]
        made = reconstruct(photo, encoder, generator, branch, landmarks=landmarks, alignment=alignment)
        made.head.prepare()
        return made

    return invert


def landmarks_seen(photo: Tensor, aligner: FaceAligner | None) -> Tensor | None:
    """[468, 2] landmarks of the largest face in a photo [1, 3, H, H], as parts of its side; None if there is none, or
    no detector."""
    if aligner is None:
        return None
    faces = aligner.detect(photo_bytes(photo))
    return landmarks_in(faces[0].landmarks, photo.shape[-1]) if faces else None
