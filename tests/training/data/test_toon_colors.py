"""Colours of toons: plainer skin, stronger brows, drawn eyes, by place."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from geoinv.models.anchored_generator import AnchoredGenerator
from geoinv.shape import expression_code
from geoinv.shape.irises import eyeball
from geoinv.training.data.toon_colors import ToonColors, average_landmarks, luminance
from tests.tiny_models import tiny_anchored_config

SKIN = torch.tensor([0.75, 0.55, 0.45])


@pytest.fixture(scope="module")
def generator() -> AnchoredGenerator:
    """Its heads are the average one, of one colour all over, that of skin."""
    torch.manual_seed(0)
    config = tiny_anchored_config()
    assert config.anchor is not None
    fine = replace(config.anchor, cells=32, face_cells=64)  # as the one that ships: small ones know no eyes
    generator = AnchoredGenerator(replace(config, anchor=fine)).requires_grad_(False)
    output = generator.decoder.net[-1]
    output.weight.zero_()
    output.bias.zero_()[1:4] = ((SKIN + 0.001) / 1.002).logit()
    return generator


def shown(generator: AnchoredGenerator, place: Tensor, color: Tensor, **units: float) -> Tensor:
    """Colour [3] of the toon at a place [3] of the average head that has this colour."""
    codes = replace(generator.anchor.model.mean_codes(), expression=expression_code(units))
    heads = generator.heads(generator.w_avg.expand(1, generator.config.num_ws, -1), codes=codes)
    return ToonColors(generator).of(heads)(place[None, None], color[None, None])[0, 0]


def light_at(generator: AnchoredGenerator, place: Tensor, color: Tensor, **units: float) -> float:
    return luminance(shown(generator, place, color, **units)).item()


def on_left_eye(generator: AnchoredGenerator, x: float, y: float) -> Tensor:
    """The place on the person's left eyeball, aside of its axis by parts of its radius."""
    model = generator.anchor.model
    middle, radius = eyeball(model, model.vertices(model.mean_codes()), "left")
    return middle[0] + radius[0] * torch.tensor([x, y, (1.0 - x * x - y * y) ** 0.5])


def test_skin_keeps_little_of_its_shade(generator: AnchoredGenerator) -> None:
    cheek = average_landmarks()[[36, 31]].mean(dim=0)
    lit, shaded = (light_at(generator, cheek, SKIN * factor) for factor in (1.1, 0.97))
    assert 0.0 < lit - shaded < 0.4 * luminance(SKIN * 0.13).item()


def test_brows_are_drawn_stronger(generator: AnchoredGenerator) -> None:
    marks, hair = average_landmarks(), SKIN * 0.6
    brow, cheek = marks[17:22].mean(dim=0), marks[[36, 31]].mean(dim=0)
    assert light_at(generator, brow, hair) < light_at(generator, cheek, hair) - 0.05


def test_eyes_are_drawn_white_iris_pupil_and_light(generator: AnchoredGenerator) -> None:
    """Whatever colour the head has there."""
    parts = {"white": (0.58, -0.05), "iris": (-0.25, -0.2), "pupil": (-0.08, -0.08), "light": (0.13, 0.11)}
    light = {name: light_at(generator, on_left_eye(generator, *at), SKIN) for name, at in parts.items()}
    assert light["pupil"] < 0.15 < light["iris"] < 0.6 < light["white"] and light["light"] > 0.8


def test_closed_lids_are_skin_with_a_dark_rim(generator: AnchoredGenerator) -> None:
    model = generator.anchor.model
    blink = replace(model.mean_codes(), expression=expression_code({"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}))
    marks = model.landmarks68.on(model.vertices(blink))[0]
    rim, lid = marks[43:45].mean(dim=0), marks[43:45].mean(dim=0) + torch.tensor([0.0, 0.03, 0.005])
    dark, plain = (light_at(generator, at, 0.5 * SKIN, eyeBlinkLeft=1.0, eyeBlinkRight=1.0) for at in (rim, lid))
    assert dark < 0.35 and plain > 0.45


def test_other_things_stay_about_as_they_are(generator: AnchoredGenerator) -> None:
    """Shoulders in blue: only brighter, and a little more so."""
    blue = torch.tensor([0.2, 0.3, 0.6])
    color = shown(generator, torch.tensor([0.3, -0.48, 0.0]), blue)
    assert torch.allclose(color, blue.pow(0.9), atol=0.05)
