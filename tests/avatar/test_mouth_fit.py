"""The mesh takes the mouth of a picture: of people whose codes are known, painted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from geoinv.avatar import FittedTemplate, avatar_parts
from geoinv.avatar.template import all_vertices
from geoinv.shape import ARKIT_UNITS, HeadCodes, expression_code
from geoinv.shape.mouth_fit import fit_face
from geoinv.shape.mouth_in_photo import LOWER, OUTER_LOWER, OUTER_UPPER, UPPER
from tests.avatar.people import a_person
from tests.avatar.texture.preview import TexturedPart, draw_textured
from tests.shape.test_mouth_in_photo import LIPS, SKIN, TEETH

SIDE = 512
SMILE = {"mouthSmileLeft": 0.5, "mouthSmileRight": 0.5}
PARTED = dict.fromkeys(("mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight"), 0.8)


def person(units: dict[str, float]) -> FittedTemplate:
    """Someone with this expression, who looks ahead."""
    codes = HeadCodes(0.5 * a_person().codes.identity, expression_code(units), torch.zeros(1, 2))
    return replace(a_person(), codes=codes)


def picture(who: FittedTemplate) -> NDArray[np.uint8]:
    """The person with red lips and white teeth before a grey wall."""
    vertices = all_vertices(who.model, who.codes)[0]
    lips = who.model.landmarks468.on(who.model.mean)[list(OUTER_UPPER + UPPER + LOWER + OUTER_LOWER)].numpy()
    parts = []
    for part in avatar_parts(who):
        colour = TEETH if part.name == "teeth" else (90, 25, 25) if part.name == "tongue" else SKIN
        colours = np.tile(np.float32(colour) / np.float32(255.0), (len(part.rows), 1))
        if part.name == "skin":
            away, _ = cKDTree(lips).query(who.model.mean[part.rows].numpy())
            colours[away < 0.018] = np.float32(LIPS) / np.float32(255.0)
        parts.append(TexturedPart(part.placed(vertices), part.triangles, part.uvs, None, colours))
    drawn, on = draw_textured(parts, who.camera, SIDE)
    drawn[~on] = 128
    return drawn


def landmarks(who: FittedTemplate) -> Tensor:
    """[468, 2] as the detector would see the person."""
    vertices = all_vertices(who.model, who.codes)[:, : len(who.model.mean)]
    places = who.camera.project(who.model.landmarks468.on(vertices))[0][0]
    return places + who.model.detector_habits.at(float(who.pose.yaw_rad[0]))[0]


def rims(who: FittedTemplate, codes: HeadCodes) -> NDArray[np.float64]:
    """[2, 5] pixels down at which the lips part and end in the middle of the mouth, by what is drawn."""
    drawn = picture(replace(who, codes=codes)).astype(int)
    columns = (landmarks(who)[list(UPPER), 0] * SIDE).int().tolist()[2:7]
    is_tooth = (np.abs(drawn - TEETH).max(axis=2) < 40)[:, columns]
    return np.stack([is_tooth.argmax(axis=0), SIDE - is_tooth[::-1].argmax(axis=0)]).astype(float)


def weight(codes: HeadCodes, name: str) -> float:
    return float(codes.expression[0, ARKIT_UNITS.index(name)])


def test_the_jaw_of_a_smile_is_shut_and_its_lips_part_where_they_do() -> None:
    who = person(SMILE | PARTED)
    fit = fit_face(who.model, picture(who), landmarks(who), who.pose, who.orbit)
    assert weight(fit.codes, "jawOpen") < 0.03
    assert weight(fit.codes, "mouthLowerDownLeft") > 0.4
    assert np.abs(rims(who, fit.codes) - rims(who, who.codes)).max() <= 3.0


def test_a_jaw_that_is_open_stays_open() -> None:
    who = person({"jawOpen": 0.6})
    fit = fit_face(who.model, picture(who), landmarks(who), who.pose, who.orbit)
    assert weight(fit.codes, "jawOpen") == pytest.approx(0.6, abs=0.2)


def test_lips_that_the_detector_parts_are_closed_on_the_photos() -> None:
    shut, parted = person(SMILE), person(SMILE | dict.fromkeys(PARTED, 0.4))
    said = landmarks(shut)
    inner = list(UPPER + LOWER)
    said[inner] = landmarks(parted)[inner]
    fit = fit_face(shut.model, picture(shut), said, shut.pose, shut.orbit)
    assert weight(fit.codes, "jawOpen") == 0.0
    for name in PARTED:
        assert weight(fit.codes, name) < 0.2
