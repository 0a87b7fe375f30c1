"""Terms of shape on slabs of density whose surface, depth and normals are known."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from geoinv.models.generator import RayOutput, TriPlaneGenerator
from geoinv.training.data.head_shards import RayBatch
from geoinv.training.losses.shape import shape_losses
from tests.tiny_models import tiny_config


@pytest.fixture(scope="module")
def generator() -> TriPlaneGenerator:
    """Its density reads the first channel alone: its raw density is 60 times the softplus of that, less 20."""
    torch.manual_seed(0)
    generator = TriPlaneGenerator(tiny_config())
    first, last = generator.decoder.net[0], generator.decoder.net[-1]
    with torch.no_grad():
        first.weight.zero_()
        first.weight[0, 0] = 1.0 / first.weight_gain
        last.weight[0].zero_()
        last.weight[0, 0] = 60.0 / last.weight_gain
        last.bias[0] = -20.0
    return generator.eval().requires_grad_(False)


def half_space(generator: TriPlaneGenerator, place: float) -> Tensor:
    """Planes of heads that are solid where z < place, smoothly over a few pixels; place in halves of the box side."""
    side = generator.config.backbone.resolution
    z = (2.0 * torch.arange(side) + 1.0) / side - 1.0
    planes = torch.zeros(1, 3, generator.config.backbone.out_channels // 3, side, side)
    planes[0, 1, 0] = 12.0 * torch.tanh(2.0 * (place - z))[:, None]  # rows of (x, z)
    return planes


def rays_onto(z: float) -> RayBatch:
    """Rays along -z that hit a surface at height z in world units, which looks along +z."""
    count = 64
    random = torch.Generator().manual_seed(1)
    origins = torch.cat([0.4 * torch.rand(1, count, 2, generator=random) - 0.2, torch.full((1, count, 1), 2.0)], dim=-1)
    directions = torch.tensor([0.0, 0.0, -1.0]).expand(1, count, 3)
    return RayBatch(
        z=torch.zeros(1, 8),
        origins=origins,
        directions=directions,
        color=torch.zeros(1, count, 3),
        alpha=torch.ones(1, count),
        distance=torch.full((1, count), 2.0 - z),
        normals=-directions,
    )


def losses(generator: TriPlaneGenerator, planes: Tensor, rays: RayBatch, *, off: float = 0.0) -> dict[str, float]:
    seen = RayOutput(rays.color, rays.alpha, rays.distance + off, torch.zeros(1, 64, 0))
    random = torch.Generator().manual_seed(0)
    terms = shape_losses(generator, planes, half_space(generator, 0.0), rays, seen, random, points=200)
    return {name: term.item() for name, term in terms.items()}


def test_the_true_head_costs_nothing(generator: TriPlaneGenerator) -> None:
    terms = losses(generator, half_space(generator, 0.0), rays_onto(0.0))
    assert terms["depth"] == terms["density"] == terms["planes"] == 0.0
    assert terms["normals"] < 0.01


def test_a_moved_surface_costs_density_and_planes(generator: TriPlaneGenerator) -> None:
    near, far = (losses(generator, half_space(generator, place), rays_onto(0.0)) for place in (0.1, 0.3))
    assert 0.0 < near["density"] < far["density"]
    assert 0.0 < near["planes"] < far["planes"]


def test_depth_by_hand(generator: TriPlaneGenerator) -> None:
    """Absolute beyond the slab's thickness: 0.1 off costs 0.1 less half of it; rays that hit nothing do not count."""
    rays, planes = rays_onto(0.0), half_space(generator, 0.0)
    assert losses(generator, planes, rays, off=0.1)["depth"] == pytest.approx(0.1 - 0.01, abs=1e-5)
    missed = replace(rays, distance=torch.cat([rays.distance[:, :32], torch.zeros(1, 32)], dim=1))
    assert losses(generator, planes, missed, off=0.1)["depth"] == pytest.approx(0.5 * (0.1 - 0.01), abs=1e-5)


def test_normals_by_hand(generator: TriPlaneGenerator) -> None:
    """Against a surface that is told to look another way: 1 - cosine."""
    rays, planes = rays_onto(0.0), half_space(generator, 0.0)
    assert rays.normals is not None
    turned = replace(rays, normals=-rays.normals)
    assert losses(generator, planes, turned)["normals"] == pytest.approx(2.0, abs=0.01)
    aside = replace(rays, normals=torch.tensor([1.0, 0.0, 0.0]).expand(1, 64, 3))
    assert losses(generator, planes, aside)["normals"] == pytest.approx(1.0, abs=0.05)


def test_gradients_reach_the_planes(generator: TriPlaneGenerator) -> None:
    planes = half_space(generator, 0.1).requires_grad_(True)
    rays = rays_onto(0.0)
    seen = RayOutput(rays.color, rays.alpha, rays.distance, torch.zeros(1, 64, 0))
    random = torch.Generator().manual_seed(0)
    terms = shape_losses(generator, planes, half_space(generator, 0.0), rays, seen, random, points=50)
    for name in ("density", "normals", "planes"):
        (gradient,) = torch.autograd.grad(terms[name], planes, retain_graph=True)
        assert gradient.abs().sum() > 0, name
