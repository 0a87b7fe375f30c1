"""Directions that do not show are left out."""

from __future__ import annotations

import pytest
import torch

from geoinv.editing import Directions, visible_directions
from geoinv.editing.effect import shown_change
from geoinv.models.generator import TriPlaneGenerator
from tests.tiny_models import tiny_config


def test_change_is_that_of_the_most_changed_pixels() -> None:
    before = torch.zeros(2, 3, 20, 20)
    after = before.clone()
    after[0, :, :2, :2] = 0.5  # four of 400 pixels are the hundredth
    assert shown_change(before, after) == pytest.approx(0.25)  # the other head did not change


def test_only_what_shows_is_kept() -> None:
    torch.manual_seed(0)
    generator = TriPlaneGenerator(tiny_config())
    shape = (generator.config.num_ws, generator.config.w_dim)
    vectors = {"nothing": torch.zeros(shape), "other": 30.0 * torch.randn(shape)}
    seen: list[int] = []
    kept = visible_directions(
        generator,
        Directions(vectors, {"nothing": "a", "other": "b"}, "sha"),
        on_direction=seen.append,
    )
    assert kept.names == ("other",)
    assert (kept.descriptions, kept.generator_sha256) == ({"other": "b"}, "sha")
    assert seen == [1, 2]
