"""What a photo shows: a wall, a post before it, and what lies beside the photo's frame."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from geoinv.camera import Camera, CameraPose, pixel_centres
from geoinv.camera.surface import points_from_depth
from geoinv.camera.visibility import SEEN, visibility
from geoinv.conventions import FACE_ORBIT, FOCAL

SIDE = 32
FRONT = CameraPose.from_angles(0.0).camera(FACE_ORBIT)


def flat(distance: float) -> torch.Tensor:
    return torch.full((1, 1, SIDE, SIDE), distance)


def seen(depth: torch.Tensor, camera: Camera, source: torch.Tensor, source_camera: Camera = FRONT) -> torch.Tensor:
    """[SIDE, SIDE] bool, of a view whose surface is known."""
    points = points_from_depth(depth, camera.cam2world, focal=camera.focal).flatten(2).transpose(1, 2)
    return visibility(points, source, source_camera).reshape(SIDE, SIDE) > SEEN


def test_the_photo_saw_its_own_view() -> None:
    found = seen(flat(2.7), FRONT, flat(2.7))
    assert found.sum() == SIDE * SIDE - 4  # but for the corners, most of whose neighbours lie outside the frame


@pytest.mark.parametrize(("behind", "weight"), [(0.0, 1.0), (0.02, 1.0), (0.035, 0.5), (0.05, 0.0), (-0.06, 0.0)])
def test_fades_with_the_distance_from_the_surface(behind: float, weight: float) -> None:
    point = torch.tensor([[[0.0, 0.0, 0.2 - behind]]])  # the photo sees the pivot at 2.7
    assert visibility(point, flat(2.7), FRONT).item() == pytest.approx(weight, abs=1e-4)


def test_what_stands_behind_something_was_not_seen() -> None:
    source = flat(2.7)
    source[..., : SIDE // 2] = 2.5  # a post before the left half of the wall
    found = seen(flat(2.7), FRONT, source)
    assert not found[:, : SIDE // 2 - 1].any()
    assert found[1:-1, SIDE // 2 + 3 :].all()


def test_nothing_outside_the_frame_or_the_head_was_seen() -> None:
    wide = replace(FRONT, focal=0.5 * FOCAL)
    found = seen(flat(2.7), wide, flat(2.7))  # the middle half of the wide picture is the photo's frame
    assert found[SIDE // 4 + 1 : -SIDE // 4 - 1, SIDE // 4 + 1 : -SIDE // 4 - 1].all()
    assert not found[: SIDE // 4 - 1].any() and not found[:, : SIDE // 4 - 1].any()
    assert not seen(flat(2.7), FRONT, flat(0.0)).any()  # a depth of 0 is no surface


def test_from_the_side_a_ball_shows_what_was_hidden() -> None:
    side = CameraPose.from_angles(1.0).camera(FACE_ORBIT)
    shown, photo = ball(side), ball(FRONT)
    found = seen(shown, side, photo) & (shown[0, 0] > 0.0)
    # turned by 1 rad, a ball hides about a third of its outline from the front, and its rims are seen at grazing angles
    assert 0.3 < found.sum() / (shown > 0.0).sum() < 0.85
    columns = torch.nonzero(shown[0, 0, SIDE // 2]).flatten()
    row = found[SIDE // 2]
    assert row[columns[0] + 2] != row[columns[-1] - 2]  # one flank was seen, the other not


def ball(camera: Camera) -> torch.Tensor:
    """z-depth of a ball of radius 0.2 about the pivot, 0 beside it."""
    origins, directions = camera.rays(pixel_centres(SIDE))
    offset = origins - torch.tensor([0.0, 0.0, 0.2])
    half = (offset * directions).sum(dim=-1)
    under = half.square() - offset.square().sum(dim=-1) + 0.2**2
    distance = -half - under.clamp_min(0.0).sqrt()
    cosine = (directions * camera.axis[:, None]).sum(dim=-1)
    return torch.where(under > 0.0, distance * cosine, 0.0).reshape(1, 1, SIDE, SIDE)
