"""Photo to crop on real portraits: roll is removed, transforms hold, the right face is taken, troubles are told."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from geoinv.align import AlignedFace, FaceAligner, draw_overlay
from geoinv.align.crop import apply_affine, compose_affine, invert_affine, warp
from geoinv.align.pose import project_standard
from geoinv.align.standard_points import standard_points
from geoinv.errors import PhotoError, ShapeError, UsageError
from geoinv.images import Photo

Photos = dict[str, np.ndarray]


def rotated(image: np.ndarray, angle_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """Turned counter-clockwise about the centre on a larger grey canvas; and the [2, 3] transform to that."""
    side = image.shape[0]
    canvas = round(1.5 * side)
    matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle_deg, 1.0)
    matrix[:, 2] += (canvas - side) / 2
    turned = cv2.warpAffine(image, matrix, (canvas, canvas), flags=cv2.INTER_CUBIC, borderValue=(120, 120, 120))
    matrix[:, 2] += 0.5 - matrix[:, :2] @ [0.5, 0.5]  # OpenCV counts pixel centres as integers
    return turned, matrix


def similarity_of_crops(a: AlignedFace, b: AlignedFace) -> float:
    """Correlation of the middle of two crops, slightly blurred."""
    first, second = (cv2.GaussianBlur(x.image[128:384, 128:384], (0, 0), 3).astype(float).ravel() for x in (a, b))
    return float(np.corrcoef(first, second)[0, 1])


class TestCrop:
    @pytest.mark.parametrize("name", ["frontal", "turned_left", "turned_right"])
    def test_face_is_where_the_camera_expects_it(self, aligner: FaceAligner, photos: Photos, name: str) -> None:
        aligned = aligner.align(photos[name])
        assert aligned.image.shape == (512, 512, 3) and aligned.image.dtype == np.uint8
        assert aligned.landmarks.shape == (468, 3) and aligned.landmarks5.shape == (5, 2)
        indices, points = standard_points(468)
        expected = project_standard(points, np.radians(aligned.yaw_deg), np.radians(aligned.pitch_deg)) * 512
        assert np.linalg.norm(aligned.landmarks[indices, :2] - expected, axis=1).mean() < 10
        assert aligned.warnings == ()
        assert (aligned.face_index, aligned.face_count, aligned.source_size) == (0, 1, (480, 480))

    def test_yaw_has_the_right_sign(self, aligner: FaceAligner, photos: Photos) -> None:
        assert 10 < aligner.align(photos["turned_left"]).yaw_deg < 35
        assert -50 < aligner.align(photos["turned_right"]).yaw_deg < -20

    def test_mirroring_mirrors_the_pose(self, aligner: FaceAligner, photos: Photos) -> None:
        aligned = aligner.align(photos["turned_left"])
        mirrored = aligner.align(np.ascontiguousarray(photos["turned_left"][:, ::-1]))
        assert mirrored.yaw_deg == pytest.approx(-aligned.yaw_deg, abs=4)
        assert mirrored.roll_deg == pytest.approx(-aligned.roll_deg, abs=2)

    def test_matrix_maps_the_photo_onto_the_crop(self, aligner: FaceAligner, photos: Photos) -> None:
        aligned = aligner.align(photos["frontal"])
        found = aligner.detect(photos["frontal"])[0]
        np.testing.assert_allclose(apply_affine(aligned.matrix, found.landmarks5), aligned.landmarks5, atol=1e-6)
        again = aligner.align(aligned.image)  # aligning the crop finds it aligned: checks the pixels, not the numbers
        np.testing.assert_allclose(again.matrix[:, :2], np.eye(2), atol=0.03)
        np.testing.assert_allclose(apply_affine(again.matrix, np.array([[256.0, 256.0]])), [[256.0, 256.0]], atol=4)

    def test_what_was_odd_about_the_file_is_a_warning(self, aligner: FaceAligner, photos: Photos) -> None:
        aligned = aligner.align(Photo(photos["frontal"], ("odd",)))
        np.testing.assert_array_equal(aligned.image, aligner.align(photos["frontal"]).image)
        assert aligned.warnings == ("odd",)

    def test_deterministic(self, aligner: FaceAligner, photos: Photos) -> None:
        first, second = aligner.align(photos["frontal"]), FaceAligner().align(photos["frontal"])
        np.testing.assert_array_equal(first.image, second.image)
        np.testing.assert_array_equal(first.landmarks, second.landmarks)


class TestRoll:
    @pytest.mark.parametrize("angle", [30, -30, 90, 180])
    @pytest.mark.parametrize("name", ["frontal", "turned_left"])
    def test_rotated_photo_gives_the_same_crop(
        self, aligner: FaceAligner, photos: Photos, name: str, angle: float
    ) -> None:
        image, to_image = rotated(photos[name], angle)
        upright, turned = aligner.align(photos[name]), aligner.align(image)
        difference = (turned.roll_deg - upright.roll_deg - angle + 180) % 360 - 180
        assert abs(difference) < 3
        assert abs(turned.yaw_deg - upright.yaw_deg) < 4
        crop_to_crop = compose_affine(compose_affine(turned.matrix, to_image), invert_affine(upright.matrix))
        face = np.array([[128.0, 128.0], [384.0, 128.0], [384.0, 384.0], [128.0, 384.0]])
        assert np.linalg.norm(apply_affine(crop_to_crop, face) - face, axis=1).max() < 14  # of 512
        assert similarity_of_crops(upright, turned) > 0.8  # the pixels follow the numbers

    @pytest.mark.parametrize("angle", [135, 150, 165, 195, 210, 225])
    def test_faces_upside_down_are_not_taken_for_upright_ones(
        self, aligner: FaceAligner, photos: Photos, angle: float
    ) -> None:
        upright, turned = aligner.align(photos["frontal"]), aligner.align(rotated(photos["frontal"], angle)[0])
        assert abs((turned.roll_deg - upright.roll_deg - angle + 180) % 360 - 180) < 4


class TestSelection:
    def pair(self, photos: Photos) -> np.ndarray:
        canvas = np.full((480, 960, 3), 128, np.uint8)
        canvas[120:360, 120:360] = cv2.resize(photos["frontal"], (240, 240), interpolation=cv2.INTER_AREA)
        canvas[:, 480:] = photos["turned_left"]
        return canvas

    def test_largest_first(self, aligner: FaceAligner, photos: Photos) -> None:
        faces = aligner.detect(self.pair(photos))
        assert len(faces) == 2 and faces[0].size > faces[1].size
        aligned = aligner.align(self.pair(photos))
        assert (aligned.face_index, aligned.face_count) == (0, 2)
        assert aligned.yaw_deg > 10
        assert aligned.warnings[0] == "2 faces in the photo: the largest is taken, --face N takes another"

    def test_chosen(self, aligner: FaceAligner, photos: Photos) -> None:
        aligned = aligner.align(self.pair(photos), face=1)
        assert aligned.face_index == 1
        assert not any("faces" in warning for warning in aligned.warnings)
        assert similarity_of_crops(aligned, aligner.align(photos["frontal"])) > 0.95

    def test_out_of_range_of_one(self, aligner: FaceAligner, photos: Photos) -> None:
        with pytest.raises(UsageError, match="no face 2: the photo holds 1 face") as caught:
            aligner.align(photos["frontal"], face=1)
        assert caught.value.hint == "leave --face out"

    @pytest.mark.parametrize("face", [2, -1])
    def test_out_of_range(self, aligner: FaceAligner, photos: Photos, face: int) -> None:
        with pytest.raises(UsageError, match=f"no face {face + 1}: the photo holds 2 faces") as caught:
            aligner.align(self.pair(photos), face=face)
        assert caught.value.hint == "use --face 1 to 2"

    @pytest.mark.parametrize("kind", ["flat", "noise"])
    def test_no_face(self, aligner: FaceAligner, kind: str) -> None:
        image = np.full((200, 300, 3), 90, np.uint8)
        if kind == "noise":
            image = np.random.default_rng(0).integers(0, 256, image.shape, dtype=np.uint8)
        with pytest.raises(PhotoError, match="no face found") as caught:
            aligner.align(image)
        assert caught.value.hint

    def test_rejects_floats(self, aligner: FaceAligner) -> None:
        with pytest.raises(ShapeError, match="uint8"):
            aligner.align(np.zeros((100, 100, 3)))


class TestHardPhotos:
    def test_small_face_in_a_large_scene(self, aligner: FaceAligner, photos: Photos) -> None:
        scene = np.full((1500, 2000, 3), 120, np.uint8)
        scene[1000:1160, 200:360] = cv2.resize(photos["frontal"], (160, 160), interpolation=cv2.INTER_AREA)
        aligned = aligner.align(scene)
        assert any(w.startswith("small face") for w in aligned.warnings)

    @pytest.mark.parametrize(("shape", "at"), [((640, 12000), (9000, 160)), ((9000, 640), (160, 7000))])
    def test_very_long_pictures(
        self, aligner: FaceAligner, photos: Photos, shape: tuple[int, int], at: tuple[int, int]
    ) -> None:
        scene = np.full((*shape, 3), 120, np.uint8)
        x, y = at
        scene[y : y + 320, x : x + 320] = cv2.resize(photos["frontal"], (320, 320), interpolation=cv2.INTER_AREA)
        shift = invert_affine(aligner.align(photos["frontal"]).matrix)[:, 2] * 320 / 480
        found = invert_affine(aligner.align(scene).matrix)[:, 2] - at
        assert np.linalg.norm(found - shift) < 12

    def test_face_that_fills_the_frame(self, aligner: FaceAligner, photos: Photos) -> None:
        left, top, right, bottom = aligner.detect(photos["frontal"])[0].box.astype(int)
        aligned = aligner.align(np.ascontiguousarray(photos["frontal"][top - 4 : bottom + 4, left - 4 : right + 4]))
        assert any("lies outside" in w for w in aligned.warnings)
        assert aligned.yaw_deg == pytest.approx(aligner.align(photos["frontal"]).yaw_deg, abs=6)

    def test_cut_off(self, aligner: FaceAligner, photos: Photos) -> None:
        left, _, right, _ = aligner.detect(photos["frontal"])[0].box.astype(int)
        aligned = aligner.align(np.ascontiguousarray(photos["frontal"][:, : left + (right - left) * 2 // 3]))
        assert any(w.startswith("face cut off") for w in aligned.warnings)
        assert 0.2 < aligned.outside_fraction < 0.6
        bare = warp(photos["frontal"] // 2 + 128, np.eye(2, 3), 480)[:, : left + (right - left) * 2 // 3]
        shown = warp(np.ascontiguousarray(bare), aligned.matrix, 512, border=cv2.BORDER_CONSTANT).min(axis=-1) > 0
        assert (aligned.inside != shown).mean() < 0.01

    def test_whole_photo(self, aligner: FaceAligner, photos: Photos) -> None:
        aligned = aligner.align(np.pad(photos["frontal"], ((200, 200), (200, 200), (0, 0))))
        assert aligned.outside_fraction == 0.0 and aligned.inside.all()

    def test_blurred(self, aligner: FaceAligner, photos: Photos) -> None:
        aligned = aligner.align(cv2.GaussianBlur(photos["frontal"], (0, 0), 4))
        assert any(w.startswith("blurred") for w in aligned.warnings)


def test_overlay_draws_on_a_copy(aligner: FaceAligner, photos: Photos) -> None:
    photo = photos["frontal"].copy()
    overlay = draw_overlay(photo, aligner.align(photo))
    np.testing.assert_array_equal(photo, photos["frontal"])
    changed = (overlay != photo).any(axis=-1).mean()
    assert overlay.shape == photo.shape and 0.005 < changed < 0.2
