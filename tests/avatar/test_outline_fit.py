"""A head that is wider than the person in the photo comes to lie within, and its landmarks stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from geoinv.avatar.outline_fit import within_outline
from geoinv.avatar.texture.surface import HeadSurface
from geoinv.shape import HeadCodes
from tests.avatar.people import a_person

SIDE = 256
YAW = 0.2  # of that person's camera


def outline(codes: HeadCodes) -> NDArray[np.bool_]:
    """[S, S] where the camera sees the head of these codes."""
    surface = HeadSurface.of(a_person().model, replace(a_person(), codes=codes).in_photo())
    return np.asarray(surface.seen_by(a_person().camera, SIDE).shown >= 0)


def landmarks(codes: HeadCodes) -> torch.Tensor:
    """[468, 2] places of the landmarks in pixels of 512."""
    vertices = a_person().model.vertices(codes)
    return 512.0 * a_person().camera.project(a_person().model.landmarks468.on(vertices))[0][0]


def moved(codes: HeadCodes, person: NDArray[np.bool_]) -> HeadCodes:
    return within_outline(a_person().model, codes, a_person().camera, YAW, person)


def test_ears_of_a_narrower_person_are_followed() -> None:
    mean = a_person().model.mean_codes()
    whole = outline(mean)
    narrower = whole & np.roll(whole, 5, axis=1) & np.roll(whole, -5, axis=1)  # 7 mm on both sides
    found = moved(mean, narrower)
    above = slice(0, 160)  # rows: shoulders may be as wide as they like
    assert (outline(found) & ~narrower)[above].sum() < 0.8 * (whole & ~narrower)[above].sum()
    assert (landmarks(found) - landmarks(mean)).norm(dim=1).median() < 1.0


def test_hair_that_makes_a_person_wider_changes_nothing() -> None:
    codes = a_person().codes
    wider = outline(codes)
    for shift in (-12, 12):
        wider = wider | np.roll(wider, shift, axis=1)
    assert torch.allclose(moved(codes, wider).identity, codes.identity, atol=0.05)


def test_a_photo_in_which_nobody_is_found_changes_nothing() -> None:
    codes = a_person().codes
    assert torch.equal(moved(codes, np.zeros((SIDE, SIDE), bool)).identity, codes.identity)
