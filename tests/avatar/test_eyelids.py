"""Sheets of closed lids lie under the skin while eyes are open, and over it, with even skin, when they close."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from geoinv.avatar import AvatarPart
from geoinv.avatar.detail import with_fewer_triangles
from geoinv.avatar.morphs import MORPH_NAMES, Morphs, morph_targets
from geoinv.avatar.parts import EYELIDS, avatar_parts
from geoinv.avatar.texture.bake import bake_view
from geoinv.camera import CameraPose
from geoinv.conventions import FACE_ORBIT
from geoinv.images.depth_buffer import draw_surface
from geoinv.shape import ARKIT_UNITS
from tests.avatar.people import a_person, an_avatar
from tests.avatar.texture.painted import GreyHead, painted_photo

SIDE = 512
BLINK = ("eyeBlinkLeft", "eyeBlinkRight")


@cache
def morphs() -> Morphs:
    return morph_targets(a_person())


def sheets_seen(parts: tuple[AvatarPart, ...], units: tuple[str, ...], yaw_rad: float = 0.0) -> int:
    """Pixels of a view in which a sheet is nearer than skin and eyes."""
    camera = CameraPose.from_angles(yaw_rad).camera(FACE_ORBIT).zoomed(1.5)
    moves = sum(morphs().moves[MORPH_NAMES.index(unit)] for unit in units)
    nearest = {}
    for part in parts:
        places = part.positions + (moves[part.rows] if units else 0.0)
        at, depth = camera.project(torch.from_numpy(np.asarray(places, np.float32))[None])
        pixels, far = at[0].double().numpy() * SIDE, depth[0].double().numpy()
        nearest[part.name] = draw_surface(pixels, far, part.triangles, (SIDE, SIDE))[1]
    others = np.min([drawn for name, drawn in nearest.items() if name != EYELIDS], axis=0)
    return int((nearest[EYELIDS] < others).sum())


@pytest.mark.parametrize("yaw_rad", [0.0, -0.7, 0.7])
def test_they_hide_while_eyes_are_open(yaw_rad: float) -> None:
    assert sheets_seen(avatar_parts(a_person()), (), yaw_rad) <= 5
    assert sheets_seen(avatar_parts(a_person()), BLINK, yaw_rad) > 5000


@pytest.mark.parametrize("unit", [unit for unit in ARKIT_UNITS if unit[:4] in ("eyeL", "eyeS", "eyeW", "brow", "chee")])
def test_no_other_expression_shows_them(unit: str) -> None:
    assert sheets_seen(avatar_parts(a_person()), (unit,)) <= 5


def test_each_eye_has_its_own() -> None:
    both = [sheets_seen(avatar_parts(a_person()), (unit,)) for unit in BLINK]
    assert min(both) > 3000 and sum(both) == pytest.approx(sheets_seen(avatar_parts(a_person()), BLINK), rel=0.02)


def test_fewer_triangles_hide_them_too() -> None:
    fewer = with_fewer_triangles(an_avatar(), 0.4, 1000).parts
    assert sheets_seen(fewer, ()) <= 5
    assert sheets_seen(fewer, BLINK) > 5000


def test_closed_lids_have_even_skin_and_a_line_of_lashes() -> None:
    """Skin of one colour whose upper lids are painted as lashes, as open eyes show them."""
    template = a_person()
    skin, lash = np.array([210.0, 160.0, 130.0]), np.array([40.0, 30.0, 25.0])
    part = next(part for part in avatar_parts(template) if part.name == EYELIDS)
    model = template.model
    blink = morphs().moves[[MORPH_NAMES.index(unit) for unit in BLINK]].sum(axis=0)
    sunk = -blink[: model.parts["skin"].vertices.stop, 1]
    rims = template.in_photo()[: len(sunk)].numpy()[sunk > 0.8 * sunk.max()]

    def paint(places: NDArray[np.float64]) -> NDArray[np.float64]:
        away = np.linalg.norm(places[:, None] - rims[None], axis=2).min(axis=1)
        return np.where(away[:, None] < 0.006, lash, skin)

    textures = bake_view(template, GreyHead(), painted_photo(template, paint), size=512)
    height, width = textures.eyelids.shape[:2]
    assert (height, width) == (256, 512)
    columns, rows = (part.uvs * (width, -height) + (0.0, height)).astype(int).T
    for left, right in ((0, width // 2), (width // 2, width)):
        inside = (columns >= left) & (columns < right)
        column = columns[inside][rows[inside].argmax()]  # where the lid is lowest
        line = textures.eyelids[: rows[inside].max() - 1, column].astype(float)
        brightness = line.mean(axis=1)
        middle = line[-90:-25]
        assert np.abs(middle - skin).max() < 25.0 and middle.std(axis=0).max() < 8.0
        assert brightness[-4] < 0.6 * skin.mean()
