"""Fitting one person to several photos: a person who is known is found better from three sides than from one."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from geoinv.camera import CameraPose
from geoinv.conventions import CROP_SIZE, FACE_ORBIT, MM_PER_UNIT
from geoinv.errors import ShapeError
from geoinv.shape import ARKIT_UNITS, HeadCodes, HeadModel, PhotoPoints, expression_code, fit_person, load_head_model
from tests.on_mesh_faces import seen_landmarks

UNITS = ("jawOpen", "browInnerUp", "mouthPucker")
"""What the person does in each photo."""
NOISE = 0.5 / CROP_SIZE


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head_model()


def _identity(seed: int) -> Tensor:
    return torch.randn(1, 96, generator=torch.Generator().manual_seed(seed))


def _codes(identity: Tensor, photos: int = 3) -> HeadCodes:
    expressions = torch.cat([expression_code({name: 0.5}) for name in UNITS[:photos]])
    return HeadCodes(identity.expand(photos, -1), expressions, torch.zeros(photos, 2))


def _cameras(photos: int = 3) -> CameraPose:
    vectors = torch.zeros(photos, 6)
    vectors[:, 0] = torch.tensor([0.0, -0.5, 0.5])[:photos]
    vectors[:, 1:] = torch.tensor([0.05, 0.02, 0.01, -0.02, 0.03])
    return CameraPose.from_vector(vectors)


def _points(head: HeadModel, codes: HeadCodes, cameras: CameraPose, seed: int = 0) -> list[PhotoPoints]:
    """Landmarks of each photo with half a pixel of noise, by both detectors."""
    random = torch.Generator().manual_seed(seed)
    photos = []
    for shape, camera in zip(codes.as_vector().split(1), cameras.as_vector().split(1), strict=True):
        one, pose = HeadCodes.from_vector(shape), CameraPose.from_vector(camera)
        places = pose.camera(FACE_ORBIT).project(head.landmarks68.on(head.vertices(one)))[0][0]
        seen = places + NOISE * torch.randn(68, 2, generator=random)
        covariance = (NOISE**2 * torch.eye(2)).expand(68, 2, 2)
        photos.append(PhotoPoints(seen, covariance, seen_landmarks(one, pose)))
    return photos


def _guess(photos: int) -> tuple[HeadCodes, CameraPose]:
    """The mean head at rest, seen by cameras that are off by two degrees."""
    vectors = _cameras(photos).as_vector() + torch.tensor([math.radians(2.0), -math.radians(2.0), 0.01, 0.0, 0.0, 0.0])
    return HeadCodes.zeros(96, photos), CameraPose.from_vector(vectors)


def _depth_error_mm(head: HeadModel, found: HeadCodes, camera: CameraPose, identity: Tensor) -> float:
    """Mean error of depth over the face in the first photo, after its median is taken off."""
    true = _codes(identity, 1)
    is_face = (head.mean[:, 2] > 0.12) & (head.mean[:, 1].abs() < 0.2)

    def depths(codes: HeadCodes, pose: CameraPose) -> Tensor:
        return pose.camera(FACE_ORBIT)[:1].project(head.vertices(codes)[:1, is_face])[1][0]

    away = depths(found, camera) - depths(true, _cameras())
    return float((away - away.median()).abs().mean()) * MM_PER_UNIT


class TestFitPerson:
    def test_three_sides_tell_the_shape_better_than_one(self, head: HeadModel) -> None:
        """And what the face does comes back in each photo."""
        errors = {1: 0.0, 3: 0.0}
        for seed in range(4):
            identity = _identity(seed)
            for photos in errors:
                codes, cameras = _codes(identity, photos), _cameras(photos)
                found, seen_from = fit_person(head, _points(head, codes, cameras, seed), *_guess(photos))
                errors[photos] += _depth_error_mm(head, found, seen_from, identity)
                assert torch.equal(found.identity, found.identity[:1].expand(photos, -1))
                assert float(found.expression.min()) >= 0.0
            for photo, name in enumerate(UNITS):
                weights = found.expression[:, ARKIT_UNITS.index(name)]
                assert int(weights.argmax()) == photo and float(weights[photo]) > 0.3
        assert errors[3] < 0.8 * errors[1]

    def test_points_that_are_plainly_wrong_in_one_photo_hardly_count(self, head: HeadModel) -> None:
        identity = _identity(1)
        codes, cameras = _codes(identity), _cameras()
        points = _points(head, codes, cameras)
        wrong = points[1].seen.clone()
        wrong[17:22] += 0.1  # a brow
        spoilt = [points[0], dataclasses.replace(points[1], seen=wrong), points[2]]
        good, bad = (fit_person(head, each, *_guess(3)) for each in (points, spoilt))
        assert _depth_error_mm(head, *bad, identity) < _depth_error_mm(head, *good, identity) + 0.5

    def test_unsure_points_leave_the_guess(self, head: HeadModel) -> None:
        """Whatever they say, without the detector."""
        points = [PhotoPoints(torch.zeros(68, 2), 100.0 * torch.eye(2).expand(68, 2, 2))] * 2
        guess, cameras = _guess(2)
        found, seen_from = fit_person(head, points, guess, cameras)
        torch.testing.assert_close(found.as_vector(), guess.as_vector(), atol=0.02, rtol=0.0)
        torch.testing.assert_close(seen_from.as_vector(), cameras.as_vector(), atol=0.01, rtol=0.0)

    def test_a_known_identity_is_kept(self, head: HeadModel) -> None:
        identity = _identity(2)
        codes, cameras = _codes(identity), _cameras()
        guess, guessed = _guess(3)
        known = dataclasses.replace(guess, identity=codes.identity)
        found, seen_from = fit_person(head, _points(head, codes, cameras), known, guessed, is_identity_fixed=True)
        torch.testing.assert_close(found.identity, codes.identity)
        torch.testing.assert_close(seen_from.as_vector(), cameras.as_vector(), atol=0.01, rtol=0.0)

    def test_rejects_what_does_not_fit(self, head: HeadModel) -> None:
        points = _points(head, _codes(_identity(0)), _cameras())
        with pytest.raises(ShapeError, match="3 photos need"):
            fit_person(head, points, *_guess(2))
        with pytest.raises(ShapeError, match=r"must be \[68, 2\], got \[73, 2\]"):
            PhotoPoints(torch.zeros(73, 2), torch.zeros(68, 2, 2))
