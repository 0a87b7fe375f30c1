"""Drawn irises are found where they were drawn, in their colours; eye textures have pupil, iris and white."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from geoinv.avatar import FittedTemplate, avatar_parts
from geoinv.avatar.template import all_vertices
from geoinv.avatar.texture.eye_photo import EyesInPhoto
from geoinv.avatar.texture.eye_texture import EYE_SIZE, draw_eye
from geoinv.avatar.texture.gaze import IRIS_ANGLE, EyeLook, look_of_eyes
from geoinv.avatar.texture.picture_source import PictureSource
from geoinv.avatar.texture.surface import HeadSurface
from geoinv.shape import ARKIT_UNITS
from tests.avatar.people import a_person
from tests.avatar.texture.preview import TexturedPart, draw_textured

BLUE = (70.0, 90.0, 150.0)
WHITE = (205.0, 196.0, 190.0)


def photo_looking(template: FittedTemplate, gaze: tuple[float, float]) -> PictureSource:
    """The person with drawn blue eyes that look somewhere."""
    codes = replace(template.codes, gaze=torch.tensor([gaze]))
    vertices = all_vertices(template.model, codes)[0]
    one = draw_eye(EyeLook((0.0, 0.0), ((0.0, 0.0), (0.0, 0.0)), BLUE, WHITE, is_seen=True))
    eyes = np.concatenate([one, one], axis=1)
    parts = []
    for part in avatar_parts(template):
        colours = np.tile(np.float32([0.8, 0.6, 0.5]), (len(part.rows), 1))
        texture = eyes if part.material == "eyes" else None
        parts.append(TexturedPart(part.placed(vertices), part.triangles, part.uvs, texture, colours))
    return PictureSource.of_square(draw_textured(parts, template.camera, 512)[0])


def seen_eyes(template: FittedTemplate, source: PictureSource) -> EyeLook:
    surface = HeadSurface.of(template.model, template.in_photo())
    sighting = surface.seen_by(template.camera, 1024)
    return look_of_eyes(template.model, surface, sighting, template.camera, source)


@pytest.mark.parametrize("gaze", [(0.0, 0.0), (0.2, 0.0), (-0.15, 0.05)])
def test_a_gaze_is_found(gaze: tuple[float, float]) -> None:
    template = a_person()
    look = seen_eyes(template, photo_looking(template, gaze))
    assert look.is_seen
    assert look.gaze[0] == pytest.approx(gaze[0], abs=0.06)
    assert look.gaze[1] == pytest.approx(gaze[1], abs=0.1)
    for own in look.each:
        assert own == pytest.approx(gaze, abs=0.12)


def test_colours_of_eyes_are_found() -> None:
    template = a_person()
    look = seen_eyes(template, photo_looking(template, (0.0, 0.0)))
    red, green, blue = look.iris
    assert blue > 1.3 * red and blue > 1.15 * green
    assert np.allclose(look.white, WHITE, atol=40.0)


def test_closed_eyes_are_the_usual_ones() -> None:
    template = a_person()
    blink = template.codes.expression.clone()
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        blink[0, ARKIT_UNITS.index(name)] = 1.0
    closed = replace(template, codes=replace(template.codes, expression=blink))
    look = seen_eyes(closed, photo_looking(closed, (0.0, 0.0)))
    assert not look.is_seen
    assert look.gaze == (0.0, 0.0)


def ring(texture: NDArray[np.uint8], angle: float) -> NDArray[np.float64]:
    """Mean colour [3] at an angle from the eye's axis, in Lambert's map, below the shade of the lid."""
    around = np.linspace(1.1 * math.pi, 1.9 * math.pi, 90)
    radius = math.sin(0.5 * angle)
    columns = (EYE_SIZE * 0.5 * (1.0 + radius * np.cos(around))).astype(int)
    rows = (EYE_SIZE * 0.5 * (1.0 - radius * np.sin(around))).astype(int)
    return np.asarray(texture[rows, columns].astype(np.float64).mean(axis=0))


def test_an_eye_has_pupil_iris_and_white() -> None:
    texture = draw_eye(EyeLook((0.0, 0.0), ((0.0, 0.0), (0.0, 0.0)), BLUE, WHITE, is_seen=True))
    assert texture.shape == (EYE_SIZE, EYE_SIZE, 3)
    assert ring(texture, 0.1 * IRIS_ANGLE).max() < 30.0
    iris = ring(texture, 0.7 * IRIS_ANGLE)
    assert iris[2] > iris[1] > iris[0] > 30.0
    assert ring(texture, IRIS_ANGLE).mean() < 0.75 * ring(texture, 1.3 * IRIS_ANGLE).mean()  # the limbal ring
    assert np.allclose(ring(texture, 1.4 * IRIS_ANGLE), WHITE, atol=12.0)


def eyes_in_photo(template: FittedTemplate, source: PictureSource) -> EyesInPhoto:
    surface = HeadSurface.of(template.model, template.in_photo())
    return EyesInPhoto(template.model, surface, surface.seen_by(template.camera, 1024), template.camera, source)


def test_eyes_take_the_photos_pixels_between_the_lids_only() -> None:
    """A photo that is green at one side and red at the other: each eye has its own, and what is drawn behind lids."""
    template = a_person()
    photo = np.zeros((64, 64, 3), np.uint8)
    photo[:, :32], photo[:, 32:] = (20, 200, 20), (200, 20, 20)
    drawn = np.full((EYE_SIZE, EYE_SIZE, 3), 128, np.uint8)
    texture = eyes_in_photo(template, PictureSource.of_square(photo)).over(drawn)
    assert texture.shape == (EYE_SIZE, 2 * EYE_SIZE, 3) and texture.dtype == np.uint8
    middle = EYE_SIZE // 2
    assert np.allclose(texture[middle, middle], (20, 200, 20), atol=3)  # the person's right eye is at the left
    assert np.allclose(texture[middle, EYE_SIZE + middle], (200, 20, 20), atol=3)
    for row in (20, EYE_SIZE - 20):
        assert (texture[row] == 128).all()


def test_what_is_drawn_keeps_its_colours_where_the_photo_has_the_same() -> None:
    template = a_person()
    grey = PictureSource.of_square(np.full((64, 64, 3), 128, np.uint8))
    drawn = np.full((EYE_SIZE, EYE_SIZE, 3), 128, np.uint8)
    assert (eyes_in_photo(template, grey).over(drawn) == 128).all()
