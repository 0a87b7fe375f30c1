"""Losses along rays: values by hand, samples at the surface, and steps that learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from geoinv.models.generator import TriPlaneGenerator
from geoinv.ops.render_rays import RayOutput
from geoinv.training.data.head_shards import HeadShards, RayBatch
from geoinv.training.losses.rays import SampleCounts, guided_distances, ray_losses
from tests.tiny_models import tiny_config


def test_losses_of_a_perfect_answer_are_zero() -> None:
    batch = RayBatch(
        z=torch.zeros(1, 1),
        origins=torch.zeros(1, 2, 3),
        directions=torch.zeros(1, 2, 3),
        color=torch.tensor([[[0.5, 0.5, 0.5], [0.0, 0.0, 0.0]]]),
        alpha=torch.tensor([[1.0, 0.0]]),
        distance=torch.tensor([[2.5, 0.0]]),
    )
    distances = torch.tensor([[[2.4, 2.6], [2.4, 2.6]]])
    weights = torch.tensor([[[1.0], [0.0]]])
    perfect = RayOutput(batch.color, batch.alpha, batch.distance, weights)
    assert all(loss.item() == pytest.approx(0.0, abs=1e-6) for loss in ray_losses(perfect, batch, distances).values())
    off = RayOutput(batch.color + 0.1, batch.alpha, batch.distance, weights)
    assert ray_losses(off, batch, distances)["color"].item() == pytest.approx(0.01)
    too_far = ray_losses(perfect, batch, distances + 0.1)
    assert too_far["surface"].item() == pytest.approx(0.05)  # a tenth on one of two rays


def test_samples_gather_at_the_true_surface(discs: Path) -> None:
    samples = SampleCounts(even=8, surface=12, spread=0.02)
    batch = HeadShards(discs).rays(np.random.default_rng(0), heads=2, views=1, rays_per_view=32)
    distances = guided_distances(
        batch.origins, batch.directions, batch.distance, 1.0, samples, torch.Generator().manual_seed(0)
    )
    assert distances.shape == (2, 32, 20)
    assert (distances.diff(dim=-1) >= 0).all()
    close = ((distances - batch.distance[..., None]).abs() < 0.06).sum(dim=-1)
    assert (close[batch.distance > 0] >= 11).all()


def test_steps_on_the_losses_learn_the_discs(discs: Path) -> None:
    torch.manual_seed(0)
    heads, samples = HeadShards(discs), SampleCounts()
    generator = TriPlaneGenerator(tiny_config())
    optimizer = torch.optim.Adam(generator.parameters(), lr=5e-3)
    rng, random = np.random.default_rng(0), torch.Generator().manual_seed(0)
    totals = []
    for _ in range(40):
        batch = heads.rays(rng, heads=4, views=2, rays_per_view=48)
        distances = guided_distances(batch.origins, batch.directions, batch.distance, 1.0, samples, random)
        planes = generator.planes(generator.mapping(batch.z))
        losses = ray_losses(generator.march(planes, batch.origins, batch.directions, distances), batch, distances)
        total = losses["color"] + losses["alpha"] + losses["surface"]
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert np.mean(totals[-5:]) < 0.75 * np.mean(totals[:3])
