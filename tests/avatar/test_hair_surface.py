"""What no photo saw of hair goes on from what it saw, whatever the volume has there."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from geoinv.avatar.hair import Hair, hair_of
from geoinv.mesh.head_mesh import edges_of
from tests.avatar.people import a_person, a_photo
from tests.ellipsoid_head import DENSITY, EllipsoidGenerator, EllipsoidHead


class BoxedHead(EllipsoidHead):
    """An ellipsoid about the skull, and boxes that are solid too: (low, high) corners, at x and at -x."""

    def __init__(self, *boxes: tuple[tuple[float, float, float], tuple[float, float, float]]) -> None:
        super().__init__(EllipsoidGenerator((0.23, 0.26, 0.28), centre=0.15))
        self.boxes = boxes

    def query(self, points: Tensor) -> tuple[Tensor, Tensor]:
        density, colour = super().query(points)
        mirrored = points * torch.tensor([1.0, 1.0, 1.0])
        mirrored[..., 0] = points[..., 0].abs()
        for low, high in self.boxes:
            within = ((mirrored > torch.tensor(low)) & (mirrored < torch.tensor(high))).all(dim=-1)
            density = torch.where(within, torch.tensor(DENSITY), density)
        return density, colour


def made(head: EllipsoidHead) -> Hair:
    hair = hair_of(a_person(), head, a_photo(), None, triangles=6000)
    assert hair is not None
    return hair


def test_a_lump_behind_the_head_is_no_hair() -> None:
    lump = ((0.0, 0.0, -0.35), (0.08, 0.2, 0.0))
    smooth, lumpy = made(BoxedHead()), made(BoxedHead(lump))
    assert abs(lumpy.positions[:, 2].min() - smooth.positions[:, 2].min()) < 0.005
    assert lumpy.positions[:, 2].min() > -0.33


def test_hair_beside_the_neck_hangs_behind_it_too() -> None:
    curtain = ((0.12, -0.4, -0.14), (0.26, 0.2, 0.06))
    behind = [
        (abs(hair.positions[:, 0]) < 0.06) & (abs(hair.positions[:, 1] + 0.2) < 0.05)
        for hair in (made(BoxedHead()), made(BoxedHead(curtain)))
    ]
    assert not behind[0].any() and behind[1].any()


def test_the_same_head_gives_the_same_hair() -> None:
    first, second = made(BoxedHead()), made(BoxedHead())
    np.testing.assert_array_equal(first.positions, second.positions)
    np.testing.assert_array_equal(first.colours, second.colours)
    assert len(edges_of(first.triangles)) == 3 * len(first.triangles)


def test_hair_beside_the_face_has_no_narrow_holes() -> None:
    """Where a generator's hair is thin, the background was seen through holes of 10 mm."""
    (x, y), half = (0.2, -0.1), 0.0135
    across, along, low, high = (0.12, 0.26), (-0.14, 0.06), -0.4, 0.2
    around = (
        ((across[0], low, along[0]), (across[1], y - half, along[1])),
        ((across[0], y + half, along[0]), (across[1], high, along[1])),
        ((across[0], low, along[0]), (x - half, high, along[1])),
        ((x + half, low, along[0]), (across[1], high, along[1])),
    )
    hair = made(BoxedHead(*around))
    corners = hair.positions[hair.triangles]
    to_corners = corners[corners[:, :, 2].min(axis=1) > 0.0][:, :, :2] - np.array([x, y])
    following = np.roll(to_corners, -1, axis=1)
    turns = to_corners[..., 0] * following[..., 1] - to_corners[..., 1] * following[..., 0]
    assert ((turns >= 0.0).all(axis=1) | (turns <= 0.0).all(axis=1)).any()
