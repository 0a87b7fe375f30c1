"""What a photo showed of a head: the ellipsoid, whose far side no photo shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from geoinv.camera import CameraPose
from geoinv.conventions import FACE_ORBIT
from geoinv.present.seen import YAWS_DEG, seen_cameras, seen_head
from geoinv.present.sheets import row
from geoinv.present.view_pictures import view_pictures
from tests.ellipsoid_head import EllipsoidConfig, EllipsoidHead

GENERATOR = EllipsoidHead(config=EllipsoidConfig(resolution=64, neural_resolution=64))
PHOTO = np.full((512, 512, 3), 200, np.uint8)


def render(cam2world: torch.Tensor) -> list:
    return [GENERATOR.render(torch.zeros(1, 3, 1, 2, 2), matrix[None]) for matrix in cam2world]


def seen_from(yaw_rad: float):
    cameras, source = seen_cameras(FACE_ORBIT), CameraPose.from_angles(yaw_rad).cam2world()
    return seen_head(PHOTO, render(cameras), cameras, (render(source)[0], source))


def panels(picture: np.ndarray) -> list[np.ndarray]:
    return [picture[:64, index * 68 : index * 68 + 64] for index in range(4)]


def violet_share(panel: np.ndarray) -> float:
    """How far a picture leans to violet: the mean of blue over green."""
    return float((panel[..., 2].astype(int) - panel[..., 1].astype(int)).clip(0).mean())


def test_a_frontal_photo_shows_the_front_and_half_of_each_side() -> None:
    head = seen_from(0.0)
    assert 0.6 < head.share < 0.95
    photo, left, front, right = panels(head.picture)
    assert (photo == 200).all()
    tints = [violet_share(panel) for panel in (left, front, right)]
    plain = [violet_share(panel) for panel in panels(seen_sheet_without_tint())[1:]]
    assert tints[1] == pytest.approx(plain[1], abs=1.0)  # nothing of the front is guessed but its rim
    assert tints[0] > plain[0] + 3.0 and tints[2] > plain[2] + 3.0


def seen_sheet_without_tint() -> np.ndarray:
    """The same panels in plain colour."""
    cameras = seen_cameras(FACE_ORBIT)
    views = [view_pictures(view, cameras[index : index + 1])[0] for index, view in enumerate(render(cameras))]
    return row([views[0], *views])


def test_a_photo_from_the_side_shows_less() -> None:
    assert seen_from(1.2).share < seen_from(0.0).share


def test_cameras() -> None:
    vectors = CameraPose.from_cam2world(seen_cameras(FACE_ORBIT)).as_vector()
    assert torch.rad2deg(vectors[:, 0]).tolist() == pytest.approx(YAWS_DEG, abs=1e-3)
    assert vectors[:, 1:].abs().max() < 1e-4


def test_an_empty_picture_was_not_seen() -> None:
    cameras = seen_cameras(FACE_ORBIT)
    empty = [replace(view, alpha=torch.zeros_like(view.alpha)) for view in render(cameras)]
    source = CameraPose.from_angles(0.0).cam2world()
    assert seen_head(PHOTO, empty, cameras, (render(source)[0], source)).share == 0.0


def test_details_are_measured_and_mapped() -> None:
    """A tenth added to the colours of the front view alone."""
    cameras, source = seen_cameras(FACE_ORBIT), CameraPose.from_angles(0.0).cam2world()
    plain = render(cameras)
    front = replace(plain[1], color=plain[1].color + 0.1 * plain[1].alpha)
    views = [plain[0], front, plain[2]]
    own = render(source)[0]
    head = seen_head(PHOTO, views, cameras, (own, source), without=[own, *plain])
    pixels = [float(view.alpha.sum()) for view in plain]
    # alpha twice: once in the colour, once as weight
    expected = 0.1 * float((plain[1].alpha ** 2).sum()) / sum(pixels)
    assert head.details_change == pytest.approx(expected, abs=1e-3)
    below = panels(head.picture[head.picture.shape[0] // 2 + 2 :])
    assert np.array_equal(below[1][32, 32], below[3][32, 32])  # the map's dark end
    assert below[2][32, 32, 1] > below[1][32, 32, 1] + 50  # greener: 0.1 of 0.25
    assert seen_head(PHOTO, plain, cameras, (own, source)).details_change is None
