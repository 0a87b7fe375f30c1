from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch

from geoinv.camera import CameraPose
from geoinv.conventions import FACE_ORBIT
from geoinv.editing import Directions
from geoinv.errors import PhotoError
from geoinv.evaluation import photos
from geoinv.evaluation.photos import evaluate_photos, face_hull
from geoinv.heads import ViewPair
from geoinv.images import write_image
from geoinv.images.tensors import photo_bytes
from geoinv.models.render_output import RenderOutput
from tests.ellipsoid_head import EllipsoidConfig, EllipsoidGenerator, EllipsoidHead


@dataclass
class Face:
    image: np.ndarray
    landmarks: np.ndarray
    inside: np.ndarray = field(default_factory=lambda: np.ones((512, 512), bool))


@dataclass
class Inversion:
    pose: CameraPose
    w_plus: torch.Tensor


@dataclass
class Made:
    inversion: Inversion
    head: EllipsoidHead
    views: ViewPair


class EllipsoidSession:
    """Like ``geoinv.Session``, with an ellipsoid for every photo and a smile that changes nothing."""

    def __init__(self, directions: dict[str, torch.Tensor]) -> None:
        self.head = EllipsoidHead(EllipsoidGenerator(config=EllipsoidConfig(resolution=512)))
        self.directions = Directions(directions, {}, "")

    def align(self, photo: np.ndarray) -> Face:
        if photo.max() == 0:
            raise PhotoError("no face")
        angles = np.linspace(0.0, 2.0 * np.pi, 100)
        marks = np.stack([256 + 60 * np.cos(angles), 256 + 80 * np.sin(angles), 0 * angles], axis=1)
        return Face(photo, marks)

    def inverted(self, face: Face, *, method: str | None) -> Made:
        inversion = Inversion(CameraPose.from_angles(0.0), torch.zeros(1, 3, 4))
        return Made(inversion, self.head, self.head.view_pair(inversion.pose.camera(FACE_ORBIT)))

    def render(self, inversion: Inversion) -> RenderOutput:
        return self.head.view(inversion.pose.camera(FACE_ORBIT))

    def edit(self, inversion: Inversion, strengths: dict[str, float]) -> Inversion:
        return inversion


@pytest.fixture
def folder(tmp_path):
    session = EllipsoidSession({})
    image = photo_bytes(session.head.view(CameraPose.from_angles(0.0).camera(FACE_ORBIT)).over_grey())
    write_image(tmp_path / "a.png", image)
    write_image(tmp_path / "b.png", np.zeros_like(image))
    return tmp_path


def test_whole_pictures_are_compared_as_papers_do(monkeypatch):
    """Colours in [-1, 1], so that a difference counts twice; LPIPS where that package works."""
    black, grey = torch.zeros(1, 3, 256, 256), torch.full((1, 3, 256, 256), 0.25)
    monkeypatch.setattr(photos, "load_lpips", lambda device: None)
    assert {name: value.item() for name, value in photos.whole_picture_metrics(black, grey).items()} == {
        "mae_whole": 0.5
    }
    monkeypatch.setattr(photos, "load_lpips", lambda device: lambda image, photo: (image - photo).square().mean())
    assert photos.whole_picture_metrics(black, grey)["lpips_whole"].item() == 0.0625


class TestEvaluatePhotos:
    def test_hand_computed(self, folder):
        skipped = []
        session = EllipsoidSession({"smile": torch.zeros(3, 4)})
        figures = evaluate_photos(session, folder, on_skip=lambda path, error: skipped.append(path.name))
        assert figures["photos"] == 1 and figures["skipped"] == 1 and skipped == ["b.png"]
        assert figures["input_psnr_db"] > 50.0 and figures["ssim_input"] > 0.99  # 8 bits alone
        assert figures["mae_whole"] < 0.01
        assert figures["identity_input"] < 0.02 < figures["identity_novel"]
        assert figures["smile_gain"] == 0.0 and figures["smile_gain_share"] == 0.0
        assert figures["identity_smile"] == 0.0

    def test_who_laughs_already_is_not_asked(self, folder, monkeypatch):
        session = EllipsoidSession({"smile": torch.zeros(3, 4)})
        for level, neutral in ((0.5, 1), (0.51, 0)):
            monkeypatch.setattr(photos, "happiness", lambda image, level=level: torch.full((1,), level))
            figures = evaluate_photos(session, [folder / "a.png"])
            assert figures["neutral"] == neutral
            assert figures["smile_gain_share"] == (0.0 if neutral else None)
            assert figures["identity_smile"] == 0.0  # of every head

    def test_identity_of_another_head_after_the_smile(self, folder, monkeypatch):
        session = EllipsoidSession({"smile": torch.zeros(3, 4)})
        smiled = Inversion(CameraPose.from_angles(0.0), torch.zeros(1, 3, 4))
        monkeypatch.setattr(session, "edit", lambda head, strengths: smiled)
        plain = session.render

        def render(inversion):
            view = plain(inversion)
            return replace(view, color=view.color.flip(1)) if inversion is smiled else view

        monkeypatch.setattr(session, "render", render)
        figures = evaluate_photos(session, [folder / "a.png"])
        assert figures["identity_smile"] > 0.01

    def test_without_a_smile_direction(self, folder):
        figures = evaluate_photos(EllipsoidSession({}), [folder / "a.png"])
        assert figures["smile_gain"] is None and figures["smile_gain_share"] is None
        assert figures["identity_smile"] is None and figures["neutral"] is None

    def test_rejects_when_nothing_is_usable(self, folder):
        with pytest.raises(PhotoError, match="none of the 1 photos"):
            evaluate_photos(EllipsoidSession({}), [folder / "b.png"])


def test_face_hull():
    marks = np.array(
        [[100.0, 100.0, 0.0], [200.0, 100.0, 0.0], [200.0, 200.0, 0.0], [100.0, 200.0, 0.0], [150, 150, 0]]
    )
    mask = face_hull(Face(np.zeros((512, 512, 3), np.uint8), marks))
    assert mask[150, 150] == 1 and mask[90, 150] == 0 and mask[150, 210] == 0
    assert int(mask.sum()) == pytest.approx(100 * 100, rel=0.03)


def test_face_hull_ends_with_the_photo():
    marks = np.array([[100.0, 100.0, 0.0], [200.0, 100.0, 0.0], [200.0, 200.0, 0.0], [100.0, 200.0, 0.0]])
    inside = np.ones((512, 512), bool)
    inside[:, 150:] = False
    mask = face_hull(Face(np.zeros((512, 512, 3), np.uint8), marks, inside))
    assert mask[150, 140] == 1 and not mask[:, 150:].any()
