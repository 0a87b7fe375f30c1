"""The discriminator: shapes, sizes, what the label, the batch and the filters do."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
import torch

from geoinv.errors import CheckpointError, ShapeError
from geoinv.models.discriminator import Discriminator, _Conv, _spread
from geoinv.models.discriminator_config import DiscriminatorConfig, small_discriminator

TINY = DiscriminatorConfig(16, (8, 8, 8), hidden=8, label_hidden=8)


def parameters(resolution: int) -> int:
    return sum(parameter.numel() for parameter in Discriminator(small_discriminator(resolution)).parameters())


@pytest.mark.parametrize("resolution", [64, 128, 256])
def test_shapes_and_sizes(resolution: int) -> None:
    network = Discriminator(small_discriminator(resolution))
    assert network(torch.zeros(2, 3, resolution, resolution), torch.zeros(2, 25)).shape == (2,)
    assert 1e6 < parameters(resolution) < 2e6


def test_label_does_not_matter_at_the_start_and_does_once_projected() -> None:
    torch.manual_seed(0)
    network, image = Discriminator(TINY), torch.randn(2, 3, 16, 16)
    labels = torch.randn(2, 25), torch.randn(2, 25)
    first, second = (network(image, label) for label in labels)
    assert torch.equal(first, second)
    torch.nn.init.ones_(network.projection.weight)
    first, second = (network(image, label) for label in labels)
    assert not torch.allclose(first, second, atol=1e-3)


def test_projection_learns_from_zero() -> None:
    torch.manual_seed(0)
    network = Discriminator(TINY)
    network(torch.randn(2, 3, 16, 16), torch.randn(2, 25)).sum().backward()
    assert network.projection.weight.grad is not None and network.projection.weight.grad.abs().sum() > 0


def test_activations_keep_their_size() -> None:
    torch.manual_seed(0)
    smooth = torch.nn.functional.interpolate(torch.randn(32, 3, 4, 4), scale_factor=16, mode="bilinear")
    logits = Discriminator(small_discriminator(64))(smooth, torch.zeros(32, 25))
    assert 0.1 < logits.square().mean().sqrt() < 10.0


def test_spread_by_hand() -> None:
    maps = torch.tensor([1.0, 10.0, 3.0, 10.0])[:, None, None, None].expand(4, 2, 1, 1)
    # groups of two: pictures 0 and 2 differ by one from their mean, 1 and 3 not at all
    assert _spread(maps, 2).flatten().tolist() == pytest.approx([1.0, 1e-4, 1.0, 1e-4])
    assert _spread(maps, 1).flatten().tolist() == pytest.approx([1e-4] * 4)
    assert _spread(maps[:3], 2).shape == (3, 1, 1, 1)  # three are no pairs: each is its own group, or all are one


def test_halving_keeps_a_constant_inside() -> None:
    conv = _Conv(1, 1, kernel=1, halve=True, bias=False)
    torch.nn.init.ones_(conv.weight)
    halved = conv(torch.full((1, 1, 8, 8), 3.0))
    assert halved.shape == (1, 1, 4, 4)
    assert torch.allclose(halved[..., 1:-1, 1:-1], torch.tensor(3.0))


def test_a_picture_alone_is_judged_by_itself() -> None:
    torch.manual_seed(0)
    network = Discriminator(replace(TINY, std_group=1))
    images, labels = torch.randn(3, 3, 16, 16), torch.randn(3, 25)
    together = network(images, labels)
    alone = torch.cat([network(images[i : i + 1], labels[i : i + 1]) for i in range(3)])
    assert torch.allclose(together, alone, atol=1e-5)


def test_rejects_other_shapes() -> None:
    network = Discriminator(TINY)
    with pytest.raises(ShapeError, match=r"image must be \[B, 3, 16, 16\], got \[1, 3, 32, 32\]"):
        network(torch.zeros(1, 3, 32, 32), torch.zeros(1, 25))
    with pytest.raises(ShapeError, match=r"image must be .* got \[1, 4, 16, 16\]"):
        network(torch.zeros(1, 4, 16, 16), torch.zeros(1, 25))
    for label in (torch.zeros(2, 25), torch.zeros(1, 16), torch.zeros(25)):
        with pytest.raises(ShapeError, match=r"label must be \[1, 25\]"):
            network(torch.zeros(1, 3, 16, 16), label)


def test_configuration_survives_json() -> None:
    config = small_discriminator(128)
    values = json.loads(json.dumps(asdict(config)))
    assert DiscriminatorConfig.from_dict(values) == config
    with pytest.raises(CheckpointError, match="fields"):
        DiscriminatorConfig.from_dict(values | {"more": 1})
    with pytest.raises(CheckpointError, match="64 px"):
        DiscriminatorConfig.from_dict(values | {"resolution": 64})
    with pytest.raises(ValueError, match="100 px"):
        small_discriminator(100)
