"""How codes are spread, in numbers that can be checked."""

from __future__ import annotations

import torch

from geoinv.models.latent_space import LatentSpace, frontal_label, measure_latent_space, random_codes
from tests.inversion.tiny_heads import tiny_generator


def test_hand_computed() -> None:
    space = LatentSpace(torch.tensor([1.0, 0.0]), torch.tensor([[2.0, 0.0], [0.0, 0.5]]))
    assert space.offset(torch.tensor([1.0, 2.0])).tolist() == [2.0, 1.0]
    assert space.coordinates(torch.tensor([3.0, 1.0])).tolist() == [1.0, 2.0]


def test_random_codes_are_about_one_deviation_away() -> None:
    generator = tiny_generator()
    space = measure_latent_space(generator)
    codes = random_codes(generator, 2000, seed=5)
    centred = LatentSpace(codes.mean(dim=0), space.axes).coordinates(codes)
    assert 0.8 < centred.square().mean().item() <= 1.05
    assert torch.allclose(space.offset(space.coordinates(codes)), codes - space.mean, atol=1e-4)


def test_axes_are_orthogonal() -> None:
    axes = measure_latent_space(tiny_generator()).axes
    gram = axes @ axes.T
    assert torch.allclose(gram, torch.diag(gram.diagonal()), atol=1e-4)


def test_same_seed_same_codes() -> None:
    generator = tiny_generator()
    assert torch.equal(random_codes(generator, 3, seed=1), random_codes(generator, 3, seed=1))
    assert frontal_label(generator, 2) is None
