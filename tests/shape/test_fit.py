"""Fitting the head model to landmarks: heads that are known come back, whatever a few points or the pose do."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from geoinv.camera import CameraPose, project
from geoinv.conventions import CROP_SIZE, FACE_ORBIT, FOCAL, MM_PER_UNIT
from geoinv.errors import ShapeError, UsageError
from geoinv.shape import FitConfig, HeadCodes, HeadModel, expression_code, fit_landmarks, load_head_model
from geoinv.shape.arkit import ARKIT_UNITS
from geoinv.shape.camera_rotation import world_to_camera

SURE = FitConfig(deviation_scale=0.1)
"""For landmarks that are better than the detector's, so that the prior hardly counts."""


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head_model()


def _person(
    head: HeadModel, yaw_rad: float, noise_px: float = 0.5, seed: int = 1
) -> tuple[HeadCodes, CameraPose, Tensor]:
    """Codes, camera and noisy landmarks [468, 2], as the detector sees them, of a smiling person with an open mouth."""
    random = torch.Generator().manual_seed(seed)
    units = {"jawOpen": 0.4, "mouthSmileLeft": 0.5, "mouthSmileRight": 0.6, "browInnerUp": 0.3}
    codes = HeadCodes(torch.randn(1, 96, generator=random), expression_code(units), torch.zeros(1, 2))
    camera = CameraPose.from_vector(torch.tensor([[yaw_rad, 0.1, -0.05, 0.01, -0.02, 0.1]]))
    cam2world = camera.cam2world(FACE_ORBIT)
    places = project(head.landmarks468.on(head.vertices(codes)), cam2world, focal=FOCAL)[0][0]
    exact = places + head.detector_habits.at(yaw_rad)[0]
    return codes, camera, exact + noise_px / CROP_SIZE * torch.randn(468, 2, generator=random)


def _face_errors_mm(head: HeadModel, a: HeadCodes, b: HeadCodes) -> Tensor:
    """Distances of the vertices of the face between two heads."""
    is_face = (head.mean[:, 2] > 0.12) & (head.mean[:, 1].abs() < 0.2)
    return (head.vertices(a) - head.vertices(b))[0, is_face].norm(dim=-1) * MM_PER_UNIT


class TestFit:
    @pytest.mark.parametrize("yaw_rad", [0.0, 0.5, -0.8])
    def test_known_codes_come_back(self, head: HeadModel, yaw_rad: float) -> None:
        codes, camera, landmarks = _person(head, yaw_rad)
        fit = fit_landmarks(head, landmarks, config=SURE)
        assert float(_face_errors_mm(head, fit.codes, codes).median()) < 0.5
        torch.testing.assert_close(fit.camera.as_vector(), camera.as_vector(), atol=0.02, rtol=0.0)
        for name in ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "browInnerUp"):
            unit = ARKIT_UNITS.index(name)
            assert float(fit.codes.expression[0, unit]) == pytest.approx(float(codes.expression[0, unit]), abs=0.12)
        assert fit.error < 0.01 and float(fit.codes.expression.min()) >= 0.0

    def test_a_known_camera_is_kept(self, head: HeadModel) -> None:
        codes, camera, landmarks = _person(head, 0.3)
        fit = fit_landmarks(head, landmarks, camera=camera, config=SURE, is_camera_fixed=True)
        torch.testing.assert_close(fit.camera.as_vector(), camera.as_vector())
        assert float(_face_errors_mm(head, fit.codes, codes).median()) < 0.5

    def test_units_that_are_held_keep_the_guess(self, head: HeadModel) -> None:
        _, camera, landmarks = _person(head, 0.0)
        guess = head.mean_codes()
        jaw = ARKIT_UNITS.index("jawOpen")
        guess.expression[0, jaw] = 0.1
        config = FitConfig(held_units=("jawOpen",))
        fit = fit_landmarks(head, landmarks, codes=guess, camera=camera, config=config)
        assert float(fit.codes.expression[0, jaw]) == pytest.approx(0.1)
        assert float(fit_landmarks(head, landmarks, camera=camera).codes.expression[0, jaw]) > 0.3

    def test_points_of_less_scatter_are_met_more_closely(self, head: HeadModel) -> None:
        _, camera, landmarks = _person(head, 0.0)
        lower_lip = [87, 14, 317]
        landmarks[lower_lip, 1] += 0.008
        scatter = torch.ones(468)
        scatter[lower_lip] = 0.2
        alike, closer = (fit_landmarks(head, landmarks, camera=camera, scatter=of) for of in (None, scatter))
        gaps = [float((fit.landmarks - landmarks)[lower_lip, 1].abs().max()) for fit in (alike, closer)]
        assert gaps[1] < 0.5 * gaps[0]

    def test_a_known_person_is_kept_and_found_fast_from_the_frame_before(self, head: HeadModel) -> None:
        codes, camera, landmarks = _person(head, 0.2)
        person = HeadCodes(codes.identity, torch.zeros(1, 52), torch.zeros(1, 2))
        first = fit_landmarks(head, landmarks, codes=person, config=SURE, is_identity_fixed=True)
        assert torch.equal(first.codes.identity, codes.identity)
        torch.testing.assert_close(first.codes.expression, codes.expression, atol=0.1, rtol=0.0)
        few = FitConfig(deviation_scale=0.1, camera_steps=0, steps=2)
        again = fit_landmarks(head, landmarks, codes=person, start=first, config=few, is_identity_fixed=True)
        torch.testing.assert_close(again.codes.expression, first.codes.expression, atol=1e-3, rtol=0.0)
        cold = fit_landmarks(head, landmarks, codes=person, config=few, is_identity_fixed=True)
        assert cold.error > 1.5 * again.error

    def test_detectors_landmarks_are_trusted_less(self, head: HeadModel) -> None:
        errors = []
        for seed in range(6):
            codes, camera, landmarks = _person(head, 0.3, seed=seed)
            fit = fit_landmarks(head, landmarks)
            assert float(fit.codes.identity.norm()) < float(codes.identity.norm())
            errors.append(float(_face_errors_mm(head, fit.codes, codes).median()))
            torch.testing.assert_close(fit.camera.as_vector(), camera.as_vector(), atol=0.06, rtol=0.0)
        assert sum(errors) / len(errors) < 1.3

    def test_profile(self, head: HeadModel) -> None:
        errors = []
        for seed in range(6):
            codes, _, landmarks = _person(head, 1.3, seed=seed)
            fit = fit_landmarks(head, landmarks)
            assert float(fit.camera.yaw_rad) == pytest.approx(1.3, abs=0.06)
            errors.append(float(_face_errors_mm(head, fit.codes, codes).median()))
        assert sum(errors) / len(errors) < 2.0

    def test_far_side_of_a_profile_hardly_counts(self, head: HeadModel) -> None:
        _, _, landmarks = _person(head, 1.2)
        fit = fit_landmarks(head, landmarks)
        frontal, turned = (head.detector_habits.at(yaw)[2] for yaw in (0.0, 1.2))
        far = torch.topk(turned / frontal, 60).indices
        guessed = landmarks.clone()
        guessed[far] += 0.01
        moved = fit_landmarks(head, guessed)
        assert float(_face_errors_mm(head, fit.codes, moved.codes).median()) < 0.7
        assert abs(float(moved.camera.yaw_rad - fit.camera.yaw_rad)) < 0.03

    def test_a_few_wrong_points_are_left_out(self, head: HeadModel) -> None:
        _, _, landmarks = _person(head, 0.3)
        random = torch.Generator().manual_seed(2)
        wrong = torch.randperm(468, generator=random)[:25]
        broken = landmarks.clone()
        broken[wrong] += torch.tensor([0.2, -0.15])
        fit, other = fit_landmarks(head, landmarks), fit_landmarks(head, broken)
        assert float(other.trust[wrong].max()) < 0.2 and float(other.trust.median()) > 0.95
        assert float(_face_errors_mm(head, fit.codes, other.codes).median()) < 0.3
        assert float((fit.landmarks - other.landmarks).abs().max()) * CROP_SIZE < 3.0

    def test_guess_fills_in_what_landmarks_leave_open(self, head: HeadModel) -> None:
        codes, camera, landmarks = _person(head, 0.3)
        alone = fit_landmarks(head, landmarks)
        guided = fit_landmarks(head, landmarks, codes=codes, camera=camera)
        errors = [float(_face_errors_mm(head, fit.codes, codes).median()) for fit in (alone, guided)]
        assert errors[1] < 0.3 * errors[0]

    def test_gaze_is_the_guesss(self, head: HeadModel) -> None:
        codes, _, landmarks = _person(head, 0.0)
        looking = HeadCodes(codes.identity, codes.expression, torch.tensor([[0.2, -0.1]]))
        assert torch.equal(fit_landmarks(head, landmarks, codes=looking).codes.gaze, looking.gaze)

    def test_same_landmarks_same_fit(self, head: HeadModel) -> None:
        landmarks = _person(head, 0.2)[2]
        first, second = fit_landmarks(head, landmarks), fit_landmarks(head, landmarks)
        assert torch.equal(first.codes.as_vector(), second.codes.as_vector())

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_rejects_values_that_are_not_finite(self, head: HeadModel, value: float) -> None:
        landmarks = _person(head, 0.0)[2]
        landmarks[100, 1] = value
        with pytest.raises(UsageError, match="finite"):
            fit_landmarks(head, landmarks)

    def test_rejects_other_landmarks(self, head: HeadModel) -> None:
        with pytest.raises(ShapeError, match="468"):
            fit_landmarks(head, torch.zeros(68, 2))
        with pytest.raises(ShapeError, match="batch size 1"):
            fit_landmarks(head, torch.zeros(468, 2), codes=HeadCodes.zeros(96, 2))

    def test_values_for_json(self, head: HeadModel) -> None:
        values = fit_landmarks(head, _person(head, 0.5)[2]).as_dict()
        assert values["yaw_deg"] == pytest.approx(28.6, abs=2.0) and len(values["identity"]) == 96
        assert values["expression"]["jawOpen"] == pytest.approx(0.4, abs=0.1)
        assert 0.0 < values["landmark_error_percent"] < 2.0


class TestRotation:
    def test_is_that_of_the_camera(self) -> None:
        angles = torch.tensor([0.7, -0.3, 0.2], dtype=torch.float64)
        rotation, _ = world_to_camera(*angles)
        pose = CameraPose.from_vector(torch.cat([angles, torch.zeros(3, dtype=torch.float64)])[None])
        torch.testing.assert_close(rotation, pose.cam2world(FACE_ORBIT)[0, :3, :3].T)

    def test_derivatives_match_autograd(self) -> None:
        angles = torch.tensor([0.7, -0.3, 0.2], dtype=torch.float64)
        expected = torch.autograd.functional.jacobian(lambda a: world_to_camera(*a)[0], angles)
        torch.testing.assert_close(world_to_camera(*angles)[1], expected.permute(2, 0, 1))
