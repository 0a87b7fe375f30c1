"""The head mesh model fitted to a photo so that it lies where the inversion's head lies.

The volume of a generator's head is seen through the inversion's own camera, so that camera is held in the fit. Freed,
it trades distance for size and pitch, and the mesh comes to lie 3 to 19 mm before the head (four example photos); held,
its depth is within 1.2 mm of the head's in the median.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..align.crop import apply_affine, invert_affine
from ..align.person import person_mask
from ..camera import Camera, CameraPose
from ..conventions import Orbit
from ..errors import PhotoError
from ..images.tensors import photo_bytes
from ..shape import HeadCodes, HeadModel, load_head_model
from ..shape.inner_mouth import mouth_offsets, shut_lips
from ..shape.mouth_fit import fit_face
from .eyelids import eyelids
from .outline_fit import within_outline

if TYPE_CHECKING:
    from ..align import FaceAligner
    from ..heads import Head
    from ..inversion import Inversion


_SOLID = 0.5
"""Alpha from which a view shows a head."""


@dataclass(frozen=True, eq=False)
class EditedHead:
    """What an edited head, which no photo shows, looks like through the photo's camera.

    Args:
        picture: [S, S, 3] RGB uint8.
        is_solid: [S, S] where the head is.
    """

    picture: NDArray[np.uint8]
    is_solid: NDArray[np.bool_]


@dataclass(frozen=True)
class FittedTemplate:
    """The head of one photo as a mesh of the model's topology, in the world of the inversion's head.

    Args:
        model: Head model.
        codes: Codes with the photo's expression, batch size 1.
        pose: Camera of the aligned photo, batch size 1: the inversion's.
        orbit: Where cameras stand.
        error: Median distance of landmarks from the photo's, as a part of the distance between the eyes.
        edited: What it was fitted to instead of a photo, where the head is an edited one.
    """

    model: HeadModel
    codes: HeadCodes
    pose: CameraPose
    orbit: Orbit
    error: float
    edited: EditedHead | None = None

    @property
    def camera(self) -> Camera:
        """Camera that sees the mesh as the aligned photo shows the person."""
        return self.pose.camera(self.orbit)

    @property
    def neutral(self) -> HeadCodes:
        """The same person at rest: no expression, eyes open and straight ahead."""
        rest = self.model.mean_codes()
        return replace(rest, identity=self.codes.identity)

    def in_photo(self) -> Tensor:
        """Vertices [A, 3] as in the photo; see :func:`all_vertices`."""
        return all_vertices(self.model, self.codes)[0]

    def at_rest(self) -> Tensor:
        """Vertices [A, 3] of the person at rest, with the lips shut; see :func:`all_vertices`."""
        vertices = all_vertices(self.model, self.neutral)[0]
        own = vertices[: len(self.model.mean)]
        own += shut_lips(self.model, own)
        return vertices


@torch.no_grad()
def all_vertices(model: HeadModel, codes: HeadCodes) -> Tensor:
    """Vertices of heads, world units: the model's V, the T of its fine teeth and the L of its lids' sheets.

    Returns [B, A, 3]. Teeth and tongue lie as :mod:`geoinv.shape.inner_mouth` says.
    """
    vertices = model.vertices(codes) + mouth_offsets(model)
    return torch.cat([vertices, model.teeth.on(vertices), eyelids(model).on(vertices, codes.expression)], dim=1)


def fit_template(
    inversion: Inversion, head: Head, aligner: FaceAligner, person: HeadCodes | None = None
) -> FittedTemplate:
    """Fit the head model to an inversion, in some tenths of a second.

    An edited head is another than the photo's: its landmarks are found on its picture.

    Args:
        inversion: Result of inverting a photo.
        head: Its head.
        aligner: Face detector with MediaPipe's 468 points.
        person: Codes at rest of the person, where more than this photo tells them.

    Raises:
        PhotoError: No face is found in the aligned photo.
    """
    model = load_head_model()
    pose, orbit = inversion.pose, head.orbit
    edited = _edited(head, pose) if inversion.edits else None
    if edited is None:
        picture, outline = inversion.photo, person_mask(inversion.photo) | ~inversion.inside
    else:
        picture, outline = edited.picture, edited.is_solid
    landmarks = _landmarks(picture, inversion.source, aligner)
    fit = fit_face(model, picture, landmarks, pose, orbit, person)
    codes = within_outline(model, fit.codes, pose.camera(orbit), float(pose.yaw_rad[0]), outline)
    return FittedTemplate(model, codes, pose, orbit, fit.error, edited)


@torch.no_grad()
def _edited(head: Head, pose: CameraPose) -> EditedHead:
    view = head.view(pose.camera(head.orbit)).cpu()
    return EditedHead(photo_bytes(view.over_grey()), view.alpha[0, 0].numpy() > _SOLID)


def _landmarks(picture: NDArray[np.uint8], name: str, aligner: FaceAligner) -> Tensor:
    """[468, 2] landmarks as parts of the crop's side."""
    try:
        face = aligner.align(picture)
    except PhotoError as error:
        raise PhotoError(
            f"no face is found in the aligned photo of {name}", "an avatar needs a photo with a clear face"
        ) from error
    points = apply_affine(invert_affine(face.matrix), face.landmarks[:, :2])
    return torch.from_numpy(points / picture.shape[0])
