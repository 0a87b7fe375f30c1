"""FFHQ's crop by hand, and that it turns and grows with the face."""

from __future__ import annotations

import numpy as np
import pytest

from geoinv.align import FaceAligner
from geoinv.align.crop import apply_affine, scale_of
from geoinv.align.crops import CROPS, roll_of, to_crop
from geoinv.align.pose import HeadPose
from geoinv.camera.label_files import label_of, pose_from_label
from geoinv.camera.pose import CameraPose
from geoinv.errors import UsageError
from geoinv.models.stylesdf.config import FFHQ_ORBIT

# eyes 20 apart, mouth 30 below: half a side is 1.8 * 30 = 54, its middle (50, 43)
FACE = np.array([[40.0, 40.0], [60.0, 40.0], [50.0, 55.0], [45.0, 70.0], [55.0, 70.0]])
POSE = HeadPose(0.0, 0.0, 0.0, np.eye(2, 3), 0.0)


def test_ffhq_by_hand() -> None:
    matrix = to_crop("ffhq", POSE, FACE)
    np.testing.assert_allclose(
        apply_affine(matrix, np.array([[-4.0, -11.0], [104.0, 97.0]])), [[0, 0], [1, 1]], atol=1e-12
    )
    assert scale_of(matrix) == pytest.approx(1 / 108)
    wide = FACE.copy()
    wide[:2, 0] = [20.0, 80.0]  # eyes 60 apart: 2 * 60 is more than 54
    assert scale_of(to_crop("ffhq", POSE, wide)) == pytest.approx(1 / 240)


def test_ffhq_turns_with_the_face() -> None:
    angle = 0.3
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = to_crop("ffhq", POSE, FACE @ turn.T * 2.0 + 7.0)
    upright = to_crop("ffhq", POSE, FACE)
    np.testing.assert_allclose(apply_affine(turned, FACE @ turn.T * 2.0 + 7.0), apply_affine(upright, FACE), atol=1e-12)
    assert roll_of(turned) == pytest.approx(-angle) and roll_of(upright) == pytest.approx(0.0)


def test_face_is_the_fitted_one() -> None:
    assert to_crop("face", POSE, FACE) is POSE.to_crop
    assert CROPS == ("face", "ffhq")


def test_photo_is_cut_by_name(photos: dict[str, np.ndarray]) -> None:
    aligner = FaceAligner()
    face, ffhq = (aligner.align(photos["frontal"], crop=name) for name in CROPS)
    assert (face.crop, ffhq.crop) == ("face", "ffhq")
    np.testing.assert_allclose(ffhq.landmarks5[:2].mean(axis=0) / 512.0, [0.5, 0.475], atol=0.01)
    assert face.landmarks5[:2, 1].mean() / 512.0 < 0.45
    assert abs(ffhq.roll_deg - face.roll_deg) < 3.0


def test_labels_know_the_orbit() -> None:
    pose = CameraPose.from_angles(0.2, -0.1)
    label = label_of(pose, FFHQ_ORBIT)
    assert label[16] == pytest.approx(FFHQ_ORBIT.focal) and np.hypot(*label[[3, 11]]) < 1.0
    again = pose_from_label(label, "x", FFHQ_ORBIT).as_vector()
    np.testing.assert_allclose(again.numpy(), pose.as_vector().numpy(), atol=1e-5)
    with pytest.raises(UsageError, match="intrinsics"):
        pose_from_label(label, "x")
