"""What a photo does not show takes the tone of what it shows of the same material."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from geoinv.heads.tone import PhotoTone

HAIR, SKIN = torch.tensor([0.2, 0.15, 0.1]), torch.tensor([0.8, 0.6, 0.5])
WARMER = torch.tensor([1.5, 1.0, 0.5])


def places(color: Tensor, count: int = 40) -> Tensor:
    return color.expand(count, 3)


def at(height: float, count: int = 40) -> Tensor:
    return torch.full((count,), height)


def test_each_material_has_its_own_factors() -> None:
    albedo = torch.cat([places(HAIR), places(SKIN)])
    shown = 0.5 * albedo
    photo = torch.cat([places(0.5 * HAIR * WARMER), places(0.5 * SKIN)])
    tone = PhotoTone([albedo], [shown], [photo], [at(0.0, 80)])
    hair, skin = tone.factors(torch.stack([HAIR, SKIN])[None], at(0.0, 2)[None])[0]
    assert hair[0] > 1.3 and hair[1] == pytest.approx(1.0, abs=0.05) and hair[2] < 0.75
    torch.testing.assert_close(skin, torch.ones(3), atol=0.05, rtol=0.0)


def test_each_head_has_its_own_table() -> None:
    albedo = places(SKIN)
    tone = PhotoTone([albedo, albedo], [albedo, albedo], [albedo, 0.5 * albedo], [at(0.0), at(0.0)])
    bright, dark = tone.factors(SKIN.expand(2, 1, 3), torch.zeros(2, 1))
    torch.testing.assert_close(bright, torch.ones(1, 3), atol=1e-4, rtol=0.0)
    assert dark.max() < 0.6


def test_a_ratio_of_background_is_bounded() -> None:
    tone = PhotoTone([places(HAIR)], [places(0.01 * HAIR)], [places(torch.ones(3))], [at(0.0)])
    assert tone.factors(HAIR[None, None], torch.zeros(1, 1)).max() == pytest.approx(3.0, abs=1e-3)


def test_a_photo_that_shows_nothing_changes_nothing() -> None:
    nothing = torch.zeros(0, 3)
    tone = PhotoTone([nothing], [nothing], [nothing], [nothing[:, 0]])
    assert torch.equal(tone.factors(SKIN[None, None], torch.zeros(1, 1)), torch.ones(1, 1, 3))


def test_grey_hair_does_not_turn_blue_with_a_pullover_of_its_grey() -> None:
    albedo = torch.cat([places(HAIR), places(HAIR)])
    blue = torch.tensor([0.3, 0.6, 2.5])
    photo = torch.cat([places(HAIR), places(HAIR * blue)])
    heights = torch.cat([at(0.1), at(-0.45)])
    tone = PhotoTone([albedo], [albedo], [photo], [heights])
    above, border, below = tone.factors(HAIR.expand(1, 3, 3), torch.tensor([[0.2, -0.31, -0.5]]))[0]
    torch.testing.assert_close(above, torch.ones(3), atol=0.05, rtol=0.0)
    assert below[2] > 2.0 > border[2] > 1.2


def test_a_photo_of_a_head_alone_says_something_of_the_body() -> None:
    tone = PhotoTone([places(SKIN)], [places(SKIN)], [places(0.5 * SKIN)], [at(0.1)])
    torch.testing.assert_close(
        tone.factors(SKIN[None, None], at(-0.5, 1)[None])[0, 0], torch.full((3,), 0.51), atol=0.02, rtol=0.0
    )
