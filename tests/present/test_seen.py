"""What a photo showed of a head: the ellipsoid, whose far side no photo shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from geoinv.camera import CameraPose
from geoinv.conventions import FACE_ORBIT
from geoinv.heads import ViewPair, view_pairs
from geoinv.models.render_output import RenderOutput
from geoinv.present.seen import YAWS_DEG, SeenHead, seen_cameras, seen_head
from geoinv.present.sheets import row
from geoinv.present.view_pictures import seen_of_view, view_pictures
from tests.ellipsoid_head import EllipsoidConfig, EllipsoidGenerator, EllipsoidHead

HEAD = EllipsoidHead(EllipsoidGenerator(config=EllipsoidConfig(resolution=64, neural_resolution=64)))
PHOTO = np.full((512, 512, 3), 200, np.uint8)


def view_from(yaw_rad: float) -> ViewPair:
    return HEAD.view_pair(CameraPose.from_angles(yaw_rad).camera(FACE_ORBIT))


def sides() -> list[ViewPair]:
    return list(view_pairs(HEAD, seen_cameras(FACE_ORBIT)))


def seen_from(yaw_rad: float) -> SeenHead:
    return seen_head(PHOTO, view_from(yaw_rad), sides())


def panels(picture: np.ndarray) -> list[np.ndarray]:
    return [picture[:64, index * 68 : index * 68 + 64] for index in range(4)]


def violet_share(panel: np.ndarray) -> float:
    """How far a picture leans to violet: the mean of blue over green."""
    return float((panel[..., 2].astype(int) - panel[..., 1].astype(int)).clip(0).mean())


def test_a_frontal_photo_shows_the_front_and_half_of_each_side() -> None:
    head = seen_from(0.0)
    assert 0.6 < head.seen_fraction < 0.95
    photo, left, front, right = panels(head.picture)
    assert (photo == 200).all()
    tints = [violet_share(panel) for panel in (left, front, right)]
    plain = [violet_share(panel) for panel in panels(seen_sheet_without_tint())[1:]]
    left, front, right = (tint - without for tint, without in zip(tints, plain, strict=True))
    assert 0.0 < front < 5.0  # nothing of the front is guessed but its rim, which is seen at grazing angles
    assert left > 2.0 * front and right > 2.0 * front


def seen_sheet_without_tint() -> np.ndarray:
    """The same panels in plain colour."""
    views = [view_pictures(pair.shown)[0] for pair in sides()]
    return row([views[0], *views])


def test_a_photo_from_the_side_shows_less() -> None:
    assert seen_from(1.2).seen_fraction < seen_from(0.0).seen_fraction


def test_padding_was_not_seen() -> None:
    """The right half of the aligned photo lies beyond the photo's edge."""
    inside = np.ones((512, 512), bool)
    inside[:, 256:] = False
    half, whole = seen_head(PHOTO, view_from(0.0), sides(), inside), seen_from(0.0)
    assert 0.4 * whole.seen_fraction < half.seen_fraction < 0.6 * whole.seen_fraction
    photo, left, front, right = panels(half.picture)
    assert violet_share(photo[:, :32]) == 0.0 and violet_share(photo[:, 32:]) > 20.0
    assert violet_share(front[:, 36:]) > violet_share(front[:, :28]) + 10.0


def test_cameras() -> None:
    vectors = CameraPose.from_cam2world(seen_cameras(FACE_ORBIT).cam2world, FACE_ORBIT).as_vector()
    assert torch.rad2deg(vectors[:, 0]).tolist() == pytest.approx(YAWS_DEG, abs=1e-3)
    assert vectors[:, 1:].abs().max() < 1e-4


def test_an_empty_picture_was_not_seen() -> None:
    empty = [replace(pair.shown, alpha=torch.zeros_like(pair.shown.alpha)) for pair in sides()]
    assert seen_head(PHOTO, view_from(0.0), [ViewPair(view, view) for view in empty]).seen_fraction == 0.0


def test_details_are_measured_and_mapped() -> None:
    """A tenth added to the colours of the front view alone."""
    plain = [pair.plain for pair in sides()]
    front = replace(plain[1], color=plain[1].color + 0.1 * plain[1].alpha)
    own = view_from(0.0).plain
    details = ViewPair(own, replace(own))
    head = seen_head(PHOTO, details, [ViewPair(*pair) for pair in zip(plain, [plain[0], front, plain[2]], strict=True)])
    pixels = [float(view.alpha.sum()) for view in plain]
    # alpha twice: once in the colour, once as weight
    expected = 0.1 * float((plain[1].alpha ** 2).sum()) / sum(pixels)
    assert head.details_change == pytest.approx(expected, abs=1e-3)
    below = panels(head.picture[head.picture.shape[0] // 2 + 2 :])
    assert np.array_equal(below[1][32, 32], below[3][32, 32])  # the map's dark end
    assert below[2][32, 32, 1] > below[1][32, 32, 1] + 50  # greener: 0.1 of 0.25
    assert seen_from(0.0).details_change is None


def test_what_any_of_several_photos_shows_is_seen() -> None:
    view, front, side = (view_from(yaw).shown for yaw in (0.8, 0.0, 1.2))
    alone = [seen_of_view(view, source) for source in (front, side)]
    both = seen_of_view(view, RenderOutput.cat([front, side]))
    assert torch.equal(both, alone[0] | alone[1])
    assert both.sum() > max(seen.sum() for seen in alone)
