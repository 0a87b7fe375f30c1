"""Volume rendering by hand: a wall, a fog, a box, and where samples go."""

from __future__ import annotations

import math

import pytest
import torch

from geoinv.ops.render_rays import volume


def test_box_limits_through_the_middle() -> None:
    origins = torch.tensor([[0.0, 0.0, 2.7], [0.0, 3.0, 2.7]])
    directions = torch.tensor([[0.0, 0.0, -1.0], [0.0, 0.0, -1.0]])
    near, far = volume.box_limits(origins, directions, box_side=1.0)
    assert near[0].item() == pytest.approx(2.2)
    assert far[0].item() == pytest.approx(3.2)
    assert near[1] == far[1]  # misses the box


def test_even_distances_are_midpoints() -> None:
    distances = volume.even_distances(torch.tensor([[2.0]]), torch.tensor([[3.0]]), 4)
    assert torch.allclose(distances, torch.tensor([[2.125, 2.375, 2.625, 2.875]]))


def test_fog_follows_beer_lambert() -> None:
    raw = torch.full((1, 101), 3.0, dtype=torch.float64)
    distances = torch.linspace(0.0, 1.0, 101, dtype=torch.float64)[None]
    weights = volume.sample_weights(raw, distances)
    density = math.log1p(math.exp(2.0))  # softplus(3 - 1)
    assert weights.sum().item() == pytest.approx(1.0 - math.exp(-density), abs=1e-7)


def test_wall_gives_its_color_alpha_and_distance() -> None:
    distances = torch.linspace(2.0, 3.0, 201)[None]
    raw = torch.where(distances > 2.5, 2000.0, -50.0)
    colors = torch.where(distances[..., None] > 2.5, torch.tensor([0.2, 0.4, 0.6]), torch.tensor([1.0, 1.0, 1.0]))
    color, alpha, distance = volume.composite(volume.sample_weights(raw, distances), colors, distances)
    assert alpha.item() == pytest.approx(1.0, abs=1e-4)
    assert distance.item() == pytest.approx(2.5, abs=0.01)
    # the interval that enters the wall averages both sides, as EG3D's marcher does
    assert torch.allclose(color[0], torch.tensor([0.6, 0.7, 0.8]), atol=0.01)


def test_nothing_hit_is_transparent_and_far() -> None:
    distances = torch.linspace(2.0, 3.0, 11)[None]
    weights = volume.sample_weights(torch.full_like(distances, -100.0), distances)
    color, alpha, distance = volume.composite(weights, torch.ones(1, 11, 3), distances)
    assert alpha.item() == pytest.approx(0.0, abs=1e-6)
    assert color.abs().max().item() < 1e-6
    assert distance.item() == pytest.approx(3.0)


def test_importance_samples_gather_at_the_weight() -> None:
    distances = torch.linspace(2.0, 3.0, 33)[None]
    weights = torch.zeros(1, 32)
    weights[0, 15] = 1.0  # between 2.469 and 2.5
    fine = volume.importance_distances(distances, weights, 24)
    assert (fine.diff() >= 0).all()
    near = ((fine > 2.42) & (fine < 2.55)).float().mean().item()
    assert near > 0.8
