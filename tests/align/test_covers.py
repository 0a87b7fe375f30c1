"""Masks, sunglasses, darkness and burnt-out light are warned about; faces that can be seen are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from geoinv.align import AlignedFace, FaceAligner
from geoinv.align.covers import cover_warnings
from geoinv.images import read_image

from .painted_covers import with_mask, with_sunglasses

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module", params=["elder", "man", "selfie", "woman"])
def face(request: pytest.FixtureRequest, aligner: FaceAligner) -> AlignedFace:
    return aligner.align(read_image(EXAMPLES / f"{request.param}.jpg"))


def test_plain_faces_are_not_warned_about(face: AlignedFace) -> None:
    assert face.warnings == ()


@pytest.mark.parametrize("color", [(235, 240, 245), (130, 170, 205), (30, 30, 32)])
def test_masks(face: AlignedFace, color: tuple[int, int, int]) -> None:
    (warning,) = cover_warnings(with_mask(face.image, face.landmarks, color), face.landmarks, face.inside)
    assert warning.startswith("the mouth seems to be covered")


def test_sunglasses(face: AlignedFace) -> None:
    (warning,) = cover_warnings(with_sunglasses(face.image, face.landmarks), face.landmarks, face.inside)
    assert warning.startswith("the eyes seem to be covered")


def test_dark(face: AlignedFace) -> None:
    (warning,) = cover_warnings((face.image * 0.08).astype(np.uint8), face.landmarks, face.inside)
    assert warning.startswith("the face is nearly black")


def test_burnt_out(face: AlignedFace) -> None:
    burnt = np.clip(face.image * 5.0 + 100.0, 0, 255).astype(np.uint8)
    (warning,) = cover_warnings(burnt, face.landmarks, face.inside)
    assert warning.startswith("the face is burnt out")


def test_warnings_come_with_the_aligned_face(aligner: FaceAligner) -> None:
    photo = read_image(EXAMPLES / "woman.jpg")
    covered = with_sunglasses(photo, aligner.detect(photo)[0].landmarks)
    assert any("eyes seem to be covered" in warning for warning in aligner.align(covered).warnings)
