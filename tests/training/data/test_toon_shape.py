"""Toons: eyes are larger about their middles, all else is where it was, and the way back leads back."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from geoinv.models.generator import TriPlaneGenerator
from geoinv.training.data.toon_rays import average_landmarks
from geoinv.training.data.toon_shape import ToonProportions, ToonShape, eye_middles
from tests.tiny_models import tiny_config

AS_THEY_ARE = ToonProportions((1.0, 1.0, 1.0), 1.0, 1.0, 1.0, 1.0, 1.0)


def shape_with(proportions: ToonProportions, flow: Tensor | None = None) -> ToonShape:
    """Of the average head, or of one whose places lie elsewhere by a flow [6]."""
    generator = TriPlaneGenerator(tiny_config())
    if flow is not None:
        warp = generator.backbone["synthesis"].warp
        warp.add_to_mean(flow[:, None, None].expand(6, 8, 8))
    codes = torch.zeros(1, generator.config.num_ws, generator.config.w_dim)
    return ToonShape(generator, codes, average_landmarks(), proportions)


def test_a_toon_without_proportions_is_the_head() -> None:
    points = torch.rand(1, 50, 3) - 0.5
    assert torch.allclose(shape_with(AS_THEY_ARE).on_head(points), points, atol=1e-6)
    assert torch.allclose(shape_with(AS_THEY_ARE).on_toon(points), points, atol=1e-6)


def test_there_and_back() -> None:
    marks = average_landmarks()
    points = torch.cat([marks, marks + 0.02 * torch.randn(68, 3), torch.rand(50, 3) - 0.5])[None]
    shape = shape_with(ToonProportions())
    there = shape.on_toon(points)
    assert (there - points).norm(dim=-1).max() > 0.01
    assert torch.allclose(shape.on_head(there), points, atol=2e-3)


def test_eyes_are_larger_by_what_was_asked() -> None:
    """Corners of a small eye: there the magnifier is the full one, to first order."""
    shape = shape_with(ToonProportions((1.5, 1.6, 1.0), 1.0, 1.0, 1.0, 1.0, 1.0))
    left = eye_middles(average_landmarks())[0] - torch.tensor([0.0, 0.0, 0.02])
    corners = left + 0.002 * torch.tensor([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, -1.0, 0.0]])
    moved = shape.on_toon(corners[None])[0]
    assert (moved[0] - moved[1]).norm().item() == pytest.approx(0.004 * 1.5, rel=0.1)
    assert (moved[2] - moved[3]).norm().item() == pytest.approx(0.004 * 1.6, rel=0.1)


def test_eyes_are_where_the_head_has_them() -> None:
    """A head whose places lie lower: the point that stays is the middle of its own eye."""
    proportions = ToonProportions((1.5, 1.5, 1.5), 1.0, 1.0, 1.0, 1.0, 1.0)
    lower = shape_with(proportions, torch.tensor([0.0, 0.1, 0.0, 0.0, 0.0, 0.0]))  # y + 0.1 / 2 is the average's
    middles = eye_middles(average_landmarks()) - torch.tensor([0.0, 0.05, 0.02])
    assert torch.allclose(lower.on_toon(middles[None])[0], middles, atol=3e-3)
    assert not torch.allclose(shape_with(proportions).on_toon(middles[None])[0], middles, atol=3e-3)


def test_shoulders_and_the_back_of_the_head_keep_their_place() -> None:
    points = torch.tensor([[[0.3, -0.48, 0.0], [0.0, 0.05, -0.3], [-0.4, -0.49, 0.1]]])
    assert (shape_with(ToonProportions()).on_toon(points) - points).abs().max() < 2e-3
