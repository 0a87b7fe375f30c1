"""Colours of toons: plainer skin, stronger brows, clear eyes, by place."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from geoinv.models.generator import TriPlaneGenerator
from geoinv.training.data.toon_colors import ToonColors, luminance
from geoinv.training.data.toon_rays import average_landmarks
from tests.tiny_models import tiny_config

SKIN = torch.tensor([0.75, 0.55, 0.45])


@pytest.fixture(scope="module")
def colors() -> ToonColors:
    """Of a head that is of one colour all over, that of skin."""
    generator = TriPlaneGenerator(tiny_config())
    with torch.no_grad():
        generator.decoder.net[-1].weight.zero_()
        generator.decoder.net[-1].bias[0] = 60.0
        generator.decoder.net[-1].bias[1:4] = SKIN.logit()
    codes = torch.zeros(1, generator.config.num_ws, generator.config.w_dim)
    with torch.no_grad():
        return ToonColors(generator, generator.planes(codes), codes, average_landmarks())


def light_at(colors: ToonColors, place: Tensor, color: Tensor) -> float:
    return luminance(colors(place[None, None], color[None, None])).item()


def test_skin_keeps_little_of_its_shade(colors: ToonColors) -> None:
    cheek = average_landmarks()[[36, 31]].mean(dim=0)
    lit, shaded = (light_at(colors, cheek, SKIN * factor) for factor in (1.1, 0.97))
    assert 0.0 < lit - shaded < 0.6 * luminance(SKIN * 0.13).item()


def test_brows_are_drawn_stronger(colors: ToonColors) -> None:
    marks, hair = average_landmarks(), SKIN * 0.6
    brow, cheek = marks[17:22].mean(dim=0), marks[[36, 31]].mean(dim=0)
    assert light_at(colors, brow, hair) < light_at(colors, cheek, hair) - 0.05


def test_eyes_are_clear(colors: ToonColors) -> None:
    white = average_landmarks()[36:42].mean(dim=0) + torch.tensor([-0.02, 0.0, 0.0])
    assert light_at(colors, white, torch.full((3,), 0.65)) > 0.75
    assert (
        light_at(colors, white, torch.full((3,), 0.15)) < 0.7 * 0.15**0.84
    )  # which is what brightening alone would show


def test_a_light_in_dark_eyes_and_on_no_lid(colors: ToonColors) -> None:
    place = average_landmarks()[36:42].mean(dim=0) + torch.tensor([0.011, 0.012, 0.0])
    assert light_at(colors, place, torch.full((3,), 0.05)) > 0.7
    lid = colors(place[None, None], SKIN[None, None])[0, 0]
    assert (lid - SKIN).abs().max() < 0.2


def test_other_things_stay_about_as_they_are(colors: ToonColors) -> None:
    """Shoulders in blue: only brighter."""
    blue = torch.tensor([0.2, 0.3, 0.6])
    shown = colors(torch.tensor([[[0.3, -0.48, 0.0]]]), blue[None, None])[0, 0]
    assert torch.allclose(shown, blue.pow(0.84), atol=0.01)
