"""Shaded pictures of heads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from geoinv.camera import CameraPose
from geoinv.shape import expression_code, load_head_model
from geoinv.shape.picture import draw_head, draw_over_photo

FRONT = CameraPose.from_angles(0.0)


def test_head_is_in_the_middle() -> None:
    model = load_head_model()
    picture = draw_head(model, model.mean_codes(), FRONT, 64)
    assert picture.shape == (64, 64, 4)
    assert picture[32, 32, 3] == 255 and picture[0, 0, 3] == 0 and picture[2, 62, 3] == 0


def test_tongue_is_seen_in_an_open_mouth_alone() -> None:
    model = load_head_model()
    opened = replace(model.mean_codes(), expression=expression_code({"jawOpen": 1.0}))
    red = []
    for codes in (model.mean_codes(), opened):
        pixels = draw_head(model, codes, FRONT, 96).astype(int)
        red.append(int((pixels[..., 0] - pixels[..., 1] > 60).sum()))
    assert red[0] == 0 and red[1] > 20


def test_face_turned_away_is_hidden_by_the_head() -> None:
    model = load_head_model()
    behind = draw_head(model, model.mean_codes(), CameraPose.from_angles(np.pi), 64)[..., :3].astype(int)
    assert int((behind.max(-1) - behind.min(-1)).max()) < 20  # no white of the eyes, no red: skin alone


def test_photo_stays_as_it_is_beside_the_head() -> None:
    model = load_head_model()
    photo = np.full((80, 100, 3), 200, np.uint8)
    placed = np.array([[60.0, 0.0, 20.0], [0.0, 60.0, 10.0]])
    drawn = draw_over_photo(photo, model, model.mean_codes(), FRONT, placed)
    assert (drawn[:40, :25] == 200).all() and (drawn[40, 50] != 200).any()
    assert (photo == 200).all()


def test_smile_shows_teeth() -> None:
    model = load_head_model()
    units = ("mouthSmile", "mouthUpperUp", "mouthLowerDown")
    smile = expression_code({f"{unit}{side}": 0.8 for unit in units for side in ("Left", "Right")})
    bright = []
    for codes in (model.mean_codes(), replace(model.mean_codes(), expression=smile)):
        mouth = draw_head(model, codes, FRONT, 256)[150:200, 100:156, :3].astype(int)
        bright.append(int(((mouth.min(-1) > 110) & (mouth.max(-1) - mouth.min(-1) < 6)).sum()))
    assert bright[1] > bright[0] + 40
