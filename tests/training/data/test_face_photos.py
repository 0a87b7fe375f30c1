"""Unlabelled photos: positions lie on the face, mirrored ones match, some are left for testing."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from geoinv.errors import UsageError
from geoinv.training.data.face_photos import FacePhotos

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> FacePhotos:
    folder = tmp_path_factory.mktemp("portraits")
    for name in ("frontal", "turned_left", "turned_right"):
        shutil.copy(DATA / f"{name}.jpg", folder)
    return FacePhotos(folder, 64, keep_out_every=3)


def test_some_are_left_for_testing(portraits: FacePhotos) -> None:
    assert portraits.held_out == ["frontal.jpg"]
    assert len(portraits) == 2


def test_batch(portraits: FacePhotos) -> None:
    batch = portraits.batch(np.random.default_rng(0), photos=8, rays_per_photo=50)
    assert batch.images.shape == (8, 3, 64, 64)
    assert batch.images.min() >= -1.0 and batch.images.max() <= 1.0
    assert batch.pixels.shape == (8, 50, 2)
    # faces lie about the middle of the crop
    assert torch.allclose(batch.pixels.mean(dim=(0, 1)), torch.tensor([0.5, 0.5]), atol=0.12)
    # one looks to the left, one to the right, and mirroring gives all four signs
    assert (batch.camera[:, 0] > 0.1).any() and (batch.camera[:, 0] < -0.1).any()


def test_what_is_around_is_read_off_photo_and_person(portraits: FacePhotos) -> None:
    batch = portraits.batch(np.random.default_rng(2), photos=8, rays_per_photo=300)  # some of them mirrored
    assert batch.around.shape == (8, 300, 2) and batch.around_color.shape == (8, 300, 3)
    columns, rows = (batch.around * 64).long().unbind(dim=-1)
    for view in range(8):
        photo, person = batch.photos[view], batch.persons[view, 0]
        assert torch.equal(photo[:, rows[view], columns[view]].T, batch.around_color[view])
        assert torch.equal(person[rows[view], columns[view]], batch.around_person[view])
    # anywhere above the chin, so also far from the face and from the person
    across, down = batch.around.unbind(dim=-1)
    assert across.min() < 0.05 and across.max() > 0.95 and down.min() < 0.05 and 0.6 < down.max() < 0.95
    assert 0.3 < float(batch.around_person.mean()) < 0.97


def test_folder_without_faces(tmp_path: Path) -> None:
    Image.new("RGB", (200, 200), "gray").save(tmp_path / "wall.png")
    Image.new("RGB", (200, 200), "gray").save(tmp_path / "floor.png")
    with pytest.raises(UsageError, match="no photo with a face"):
        FacePhotos(tmp_path, 64)


def test_persons_hold_their_faces(portraits: FacePhotos) -> None:
    batch = portraits.batch(np.random.default_rng(1), photos=4, rays_per_photo=5)
    assert batch.persons.shape == batch.faces.shape == (4, 1, *batch.photos.shape[2:])
    assert ((batch.persons >= 0.0) & (batch.persons <= 1.0)).all()
    for person, face in zip(batch.persons, batch.faces, strict=True):
        assert person[face > 0].mean() > 0.98
        assert 0.4 < person.mean() < 0.95
