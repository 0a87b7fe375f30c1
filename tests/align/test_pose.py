"""The pose fit against cameras and transforms that are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from geoinv.align.crop import apply_affine, invert_affine
from geoinv.align.pose import fit_pose, project_standard
from geoinv.align.standard_points import standard_points
from geoinv.camera import CameraPose, project
from geoinv.conventions import FACE_ORBIT, FOCAL, PIVOT
from geoinv.errors import ShapeError


def similarity(scale: float, angle_deg: float, shift: tuple[float, float]) -> np.ndarray:
    cos, sin = scale * np.cos(np.radians(angle_deg)), scale * np.sin(np.radians(angle_deg))
    return np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]]])


class TestProjection:
    @pytest.mark.parametrize(("yaw", "pitch"), [(0.0, 0.0), (0.6, -0.2), (-0.9, 0.3)])
    def test_matches_the_camera_module(self, yaw: float, pitch: float) -> None:
        _, points = standard_points(468)
        expected, _ = project(
            torch.from_numpy(points)[None].float(),
            CameraPose.from_angles(yaw, pitch).cam2world(FACE_ORBIT),
            focal=FOCAL,
        )
        np.testing.assert_allclose(project_standard(points, yaw, pitch), expected[0].numpy(), atol=1e-5)

    def test_pivot_is_the_centre(self) -> None:
        np.testing.assert_allclose(project_standard(np.array([PIVOT]), 0.7, 0.2), [[0.5, 0.5]], atol=1e-12)

    def test_positive_yaw_turns_the_face_to_image_left(self) -> None:
        nose = np.array([[0.0, 0.0, 0.35]])
        assert project_standard(nose, 0.3, 0.0)[0, 0] < 0.5
        assert project_standard(nose, 0.0, 0.3)[0, 1] > 0.5  # from above, the nose points down


class TestFit:
    @pytest.mark.parametrize("count", [468, 68])
    @pytest.mark.parametrize("angles", [(0.0, 0.0), (0.5, 0.2), (-0.9, -0.3)])
    @pytest.mark.parametrize("roll", [0.0, 40.0, -170.0])
    def test_recovers_what_made_the_picture(self, count: int, angles: tuple[float, float], roll: float) -> None:
        _, points = standard_points(count)
        to_photo = similarity(700.0, -roll, (300.0, -50.0))  # y is down, so a positive angle is clockwise
        landmarks = apply_affine(to_photo, project_standard(points, *angles))
        pose = fit_pose(landmarks, points)
        np.testing.assert_allclose([pose.yaw_rad, pose.pitch_rad], angles, atol=1e-4)
        assert np.degrees(pose.roll_rad) == pytest.approx(roll, abs=0.01)
        np.testing.assert_allclose(pose.to_crop, invert_affine(to_photo), atol=1e-4)
        assert pose.residual < 1e-5

    def test_noise_moves_it_little(self) -> None:
        _, points = standard_points(468)
        noise = np.random.default_rng(0).normal(scale=0.005, size=(len(points), 2))
        pose = fit_pose(project_standard(points, 0.4, -0.1) + noise, points)
        np.testing.assert_allclose([pose.yaw_rad, pose.pitch_rad], [0.4, -0.1], atol=0.03)
        assert 0.004 < pose.residual < 0.009


class TestStandardPoints:
    def test_symmetric(self) -> None:
        _, points = standard_points(468)
        mirrored = points * [-1, 1, 1]
        distance = np.linalg.norm(mirrored[:, None] - points[None], axis=2).min(axis=1)
        assert distance.max() < 1e-3

    def test_life_sized(self) -> None:
        indices, points = standard_points(68)
        eyes = [points[np.isin(indices, list(span))].mean(axis=0) for span in (range(36, 42), range(42, 48))]
        assert eyes[0][0] < 0 < eyes[1][0]  # the person's right eye is at image left, world -x
        assert 55 < np.linalg.norm(eyes[1] - eyes[0]) * 370 < 65

    def test_rejects_other_counts(self) -> None:
        with pytest.raises(ShapeError, match="468 or 68"):
            standard_points(5)
