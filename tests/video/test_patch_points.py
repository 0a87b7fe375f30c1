"""Points of lids, brows and lips off their patches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geoinv.align import FaceAligner
from geoinv.errors import CheckpointError, ShapeError
from geoinv.shape import load_head_model
from geoinv.training.patch_points import Patches, train_regressor, write_patch_points
from geoinv.video.frame_fit import SeenFace
from geoinv.video.patch_points import PatchPoints, load_patch_points
from geoinv.video.patches import FEATURES, LEFT_EYE, MOUTH, NOSE, RIGHT_EYE, SIDE, PatchKind, from_patch, histograms

EXAMPLES = Path(__file__).parents[2] / "examples"
UPRIGHT = np.array([[1.0 / 200.0, 0.0, 0.0], [0.0, 1.0 / 200.0, 0.0]])


def _landmarks() -> np.ndarray:
    return np.random.default_rng(0).uniform(60.0, 140.0, (468, 2))


@pytest.mark.parametrize("kind", [RIGHT_EYE, LEFT_EYE, MOUTH, NOSE])
def test_patches_are_where_they_say(kind: PatchKind) -> None:
    landmarks = _landmarks()
    to_patch = kind.to_patch(landmarks, UPRIGHT)
    middle = from_patch(to_patch, np.zeros((1, 2)))[0]
    expected = landmarks[list(kind.between)].mean(axis=0) + [0.0, 200.0 * kind.down]
    np.testing.assert_allclose(middle, expected)
    edge = from_patch(to_patch, np.array([[0.5, 0.0]]))[0]
    assert edge[0] - middle[0] == pytest.approx((-100.0 if kind.is_mirrored else 100.0) * kind.side)


def test_a_mirrored_picture_gives_the_other_eyes_histograms() -> None:
    picture = np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8)
    place = np.array([[0.5, 0.0, -20.0], [0.0, 0.5, -30.0]])
    mirrored_place = np.array([[-0.5, 0.0, 0.5 * 200.0 - 20.0], [0.0, 0.5, -30.0]])
    np.testing.assert_allclose(
        histograms(np.ascontiguousarray(picture[:, ::-1]), mirrored_place), histograms(picture, place), atol=1e-4
    )
    assert histograms(picture, place).shape == (FEATURES,) and SIDE % 8 == 0


def test_light_does_not_count() -> None:
    x, y = np.meshgrid(np.arange(96), np.arange(96))
    grey = 90.0 + 25.0 * np.sin(x / 7.0) * np.cos(y / 11.0) + 10.0 * np.sin((x + y) / 5.0)
    picture = np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)
    brighter = np.repeat((1.6 * grey + 20.0)[..., None], 3, axis=2).astype(np.uint8)
    place = np.array([[0.5, 0.0, 0.0], [0.0, 0.5, 0.0]])
    away = np.abs(histograms(brighter, place) - histograms(picture, place))
    assert away.mean() < 0.02 and away.max() < 0.15


def test_a_patch_of_a_large_frame_is_that_of_its_part() -> None:
    part = np.random.default_rng(2).integers(0, 255, (240, 240, 3), np.uint8)
    frame = np.full((720, 1280, 3), 90, np.uint8)
    frame[400:640, 700:940] = part
    to_patch = np.array([[0.4, 0.0, -24.0], [0.0, 0.4, -24.0]])  # of pixels 60 to 180
    in_frame = to_patch - np.array([[0.0, 0.0, 0.4 * 700.0], [0.0, 0.0, 0.4 * 400.0]])
    np.testing.assert_array_equal(histograms(frame, in_frame), histograms(part, to_patch))
    beyond = np.array([[0.4, 0.0, 900.0], [0.0, 0.4, 900.0]])
    assert not histograms(part, beyond).any(), "one colour, its corner's"


def test_points_of_a_photo_lie_near_the_detectors() -> None:
    from geoinv.images import read_image

    photo, points = read_image(EXAMPLES / "woman.jpg"), load_patch_points()
    face = FaceAligner().detect(photo)[0]
    seen = SeenFace.of(photo, face.landmarks, points)
    from_crop = np.linalg.inv(np.vstack([seen.to_crop, [0.0, 0.0, 1.0]]))[:2]
    places = seen.landmarks.numpy() @ from_crop[:, :2].T + from_crop[:, 2]
    away = np.linalg.norm(places - face.landmarks[:, :2], axis=1) / face.size
    assert 1e-3 < np.median(away[list(MOUTH.points)]) < 0.04 and away.max() < 0.15
    assert np.delete(away, [*MOUTH.points, *NOSE.points, *RIGHT_EYE.points, *LEFT_EYE.points]).max() < 1e-9


def test_the_model_trusts_the_points_as_trained() -> None:
    points, model = load_patch_points(), load_head_model()
    trusting = points.trusted_by(model)
    assert not trusting.detector_habits.offset[:, list(MOUTH.points)].any()
    assert model.detector_habits.offset[:, list(MOUTH.points)].any()
    deviation = trusting.detector_habits.deviation[0, list(RIGHT_EYE.points)].numpy()
    others = np.setdiff1d(np.arange(468), [*MOUTH.points, *NOSE.points, *RIGHT_EYE.points, *LEFT_EYE.points])
    before = model.detector_habits.deviation[0, others]
    assert (trusting.detector_habits.deviation[0, others] > 2.0 * before).all(), "they err together"
    np.testing.assert_allclose(deviation, points.eye.deviation[:-1] * RIGHT_EYE.side, rtol=1e-5)


def test_a_regressor_learns_and_is_read_back(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    causes = random.normal(size=(600, 4))
    features = causes @ random.normal(size=(4, FEATURES)) + 0.1 * random.normal(size=(600, FEATURES))
    places = np.zeros((600, 3, 2), np.float32)
    places[:, 1, 1] = 0.04 * causes[:, 0]
    patches = Patches(features.astype(np.float32), np.zeros((600, 2), np.float32), places, np.arange(600))
    made, error = train_regressor(patches, 48, epochs=80)
    assert error < 0.4 * places.std()
    write_patch_points(tmp_path / "points.safetensors", PatchPoints(made, made, made))
    read = load_patch_points(tmp_path / "points.safetensors")
    np.testing.assert_allclose(read.eye(patches.features[0], 0.0, 0.0), made(patches.features[0], 0.0, 0.0), atol=2e-3)
    with pytest.raises(ShapeError, match="do not fit"):
        replace(made, deviation=made.deviation[:2])
    (tmp_path / "points.safetensors").write_bytes(b"none")
    with pytest.raises(CheckpointError, match="points.safetensors"):
        load_patch_points(tmp_path / "points.safetensors")
