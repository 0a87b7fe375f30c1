"""What the photo saw: a wall with a post before it, seen from the front and from the side."""

from __future__ import annotations

import torch

from geoinv.camera import CameraPose
from geoinv.heads.visibility import seen_in_source, seen_share

SIDE = 32


def flat(distance: float) -> torch.Tensor:
    return torch.full((1, 1, SIDE, SIDE), distance)


def solid() -> torch.Tensor:
    return torch.ones(1, 1, SIDE, SIDE)


FRONT = CameraPose.from_angles(0.0).cam2world()


def test_the_photo_saw_its_own_view() -> None:
    seen = seen_in_source(flat(2.7), solid(), FRONT, flat(2.7), solid(), FRONT)
    assert seen.all()
    assert seen_share(seen, solid()).item() == 1.0


def test_what_stands_behind_something_was_not_seen() -> None:
    source = flat(2.7)
    source[..., : SIDE // 2] = 2.5  # a post before the left half of the wall
    seen = seen_in_source(flat(2.7), solid(), FRONT, source, solid(), FRONT)
    assert not seen[..., : SIDE // 2 - 1].any()
    assert seen[..., SIDE // 2 + 1 :].all()
    assert abs(seen_share(seen, solid()).item() - 0.5) < 0.05


def test_nothing_outside_the_frame_or_the_head_was_seen() -> None:
    near = FRONT.clone()
    near[:, 2, 3] -= 2.0  # much closer: its frame is smaller than the photo's... so the photo saw all of it
    assert seen_in_source(flat(0.7), solid(), near, flat(2.7), solid(), FRONT).all()
    # and the other way round, the frame's rim was never in the picture
    seen = seen_in_source(flat(2.7), solid(), FRONT, flat(0.7), solid(), near)
    assert seen[..., SIDE // 2, SIDE // 2].all() and not seen[..., 0, 0].any()
    empty = torch.zeros_like(solid())
    assert not seen_in_source(flat(2.7), solid(), FRONT, flat(2.7), empty, FRONT).any()
    assert seen_share(torch.zeros(1, 1, SIDE, SIDE, dtype=torch.bool), empty).item() == 0.0


def test_from_the_side_a_ball_shows_what_was_hidden() -> None:
    side = CameraPose.from_angles(1.0).cam2world()
    centre = torch.tensor([0.0, 0.0, 0.2])
    depth, alpha = zip(*(_ball(camera, centre, 0.2) for camera in (side, FRONT)), strict=True)
    seen = seen_in_source(depth[0], alpha[0], side, depth[1], alpha[1], FRONT)
    # Turned by 1 rad, a ball hides about a third of its outline from the front.
    assert 0.5 < seen_share(seen, alpha[0]).item() < 0.85
    rows = seen[0, 0, SIDE // 2]
    solid_columns = torch.nonzero(alpha[0][0, 0, SIDE // 2] > 0.5).flatten()
    assert rows[solid_columns[0] + 1] != rows[solid_columns[-1] - 1]  # one flank was seen, the other not


def _ball(cam2world: torch.Tensor, centre: torch.Tensor, radius: float) -> tuple[torch.Tensor, torch.Tensor]:
    """z-depth and alpha of a ball."""
    from geoinv.camera import pixel_centres, rays_through

    origins, directions = rays_through(cam2world, pixel_centres(SIDE))
    offset = origins - centre
    half = (offset * directions).sum(dim=-1)
    under = half.square() - offset.square().sum(dim=-1) + radius**2
    distance = -half - under.clamp_min(0.0).sqrt()
    cosine = (directions * cam2world[:, None, :3, 2]).sum(dim=-1)
    shape = (1, 1, SIDE, SIDE)
    return (distance * cosine).reshape(shape), (under > 0).float().reshape(shape)
