"""The template lies over the face of the aligned photo, through the inversion's own camera."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from geoinv.align import AlignedFace, FaceAligner
from geoinv.avatar import fit_template
from geoinv.avatar.eyelids import eyelids
from geoinv.avatar.texture.photo_view import view_of_photo
from geoinv.camera import Camera, CameraPose
from geoinv.errors import PhotoError
from geoinv.images import read_image
from geoinv.inversion import Inversion
from geoinv.models.render_output import RenderOutput
from tests.avatar.people import a_person
from tests.ellipsoid_head import EllipsoidHead
from tests.examples_folder import EXAMPLES


@pytest.fixture(scope="module")
def aligner() -> FaceAligner:
    return FaceAligner()


@pytest.fixture(scope="module")
def face(aligner: FaceAligner) -> AlignedFace:
    return aligner.align(read_image(EXAMPLES[-1]))


def _inversion(face: AlignedFace, *, edits: dict[str, float] | None = None) -> Inversion:
    camera = CameraPose.from_angles(float(np.radians(face.yaw_deg)), float(np.radians(face.pitch_deg)))
    return Inversion(
        torch.zeros(1, 3, 4),
        camera.as_vector()[0],
        face.image,
        face.matrix,
        "someone.jpg",
        face.source_size,
        "none",
        "0" * 64,
        edits=edits or {},
    )


def test_it_lies_over_the_photo_through_the_inversions_camera(aligner: FaceAligner, face: AlignedFace) -> None:
    inversion = _inversion(face)
    template = fit_template(inversion, EllipsoidHead(), aligner)
    torch.testing.assert_close(template.pose.as_vector()[0], inversion.camera)
    places = template.model.landmarks468.on(template.in_photo()[None, : len(template.model.mean)])
    seen = template.camera.project(places)[0][0] + template.model.detector_habits.at(float(inversion.camera[0]))[0]
    gap_px = np.linalg.norm(512.0 * seen.numpy() - face.landmarks[:, :2], axis=1)
    assert np.median(gap_px) < 2.5  # the rims of the lips count most, and this camera is rough
    assert template.error < 0.02


def test_an_edited_head_is_fitted_to_its_own_picture(aligner: FaceAligner, face: AlignedFace) -> None:
    with pytest.raises(PhotoError, match="no face"):  # the ellipsoid's picture, which is no face
        fit_template(_inversion(face, edits={"smile": 1.0}), EllipsoidHead(), aligner)


def test_an_edited_heads_picture_is_drawn_once(aligner: FaceAligner, face: AlignedFace) -> None:
    head = PictureHead(face.image)
    inversion = _inversion(face, edits={"smile": 1.0})
    template = fit_template(inversion, head, aligner)
    view = view_of_photo(inversion, template, None)
    assert head.views == 1
    assert np.array_equal(view.source.pixels, face.image)
    assert view.shows_person[256, 256]
    assert template.error == fit_template(_inversion(face), head, aligner).error


class PictureHead(EllipsoidHead):
    """A head that looks like a picture [S, S, 3], and fills it; it counts its views."""

    def __init__(self, picture: NDArray[np.uint8]) -> None:
        super().__init__()
        self.picture, self.views = picture, 0

    def view(self, camera: Camera) -> RenderOutput:
        self.views += 1
        color = torch.from_numpy(self.picture).permute(2, 0, 1)[None] / 255.0
        return RenderOutput(color, torch.ones_like(color[:, :1]), torch.ones_like(color[:, :1]), camera)


def test_at_rest_it_is_the_same_person_without_expression() -> None:
    person = a_person()
    assert torch.equal(person.neutral.identity, person.codes.identity)
    assert not person.neutral.expression.any() and not person.neutral.gaze.any()
    assert (person.in_photo() - person.at_rest()).norm(dim=1).max() > 0.01
    model = person.model
    assert person.at_rest().shape == (len(model.mean) + len(model.teeth.anchors) + len(eyelids(model).rows), 3)
