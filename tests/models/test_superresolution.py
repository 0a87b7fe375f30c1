"""EG3D's super-resolution modules: parameters as published, shapes, and the pieces that the golden file lacks."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from geoinv.models.superresolution import HYBRIDS, HybridSuperresolution, _SuperresolutionBlock


def parameters_by_hand(channels: tuple[int, int], features: int = 32, w_dim: int = 512) -> int:
    """A convolution has affine (w_dim + 1) x in, weight in x out x 9, bias, noise strength; torgb is 1 x 1."""
    total = 0
    before = features
    for out in channels:
        for inputs in (before, out):
            total += (w_dim + 1) * inputs + inputs * out * 9 + out + 1
        total += (w_dim + 1) * out + out * 3 + 3
        before = out
    return total


@pytest.mark.parametrize(
    ("name", "side"), [("hybrid2x", 128), ("hybrid4x", 256), ("hybrid8x", 512), ("hybrid8xdc", 512)]
)
def test_parameters_and_buffers(name: str, side: int) -> None:
    hybrid = HYBRIDS[name]
    with torch.device("meta"):
        module = HybridSuperresolution(hybrid, 32, 512)
    assert hybrid.output_side == side
    assert sum(parameter.numel() for parameter in module.parameters()) == parameters_by_hand(hybrid.channels)
    shapes = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    first = side // 2
    assert shapes["block0.conv0.noise_const"] == shapes["block0.conv1.noise_const"] == (first, first)
    assert shapes["block1.conv0.noise_const"] == shapes["block1.conv1.noise_const"] == (side, side)
    assert shapes["block1.torgb.weight"] == (3, hybrid.channels[1], 1, 1)


def test_published_count_of_the_large_one() -> None:
    assert parameters_by_hand((256, 128)) == 1_649_578


@pytest.mark.parametrize(("name", "rays"), [("hybrid2x", 16), ("hybrid2x", 80), ("hybrid4x", 64), ("hybrid8x", 32)])
def test_any_ray_grid(name: str, rays: int) -> None:
    hybrid = HYBRIDS[name]
    module = HybridSuperresolution(hybrid, 4, 8).eval()
    with torch.no_grad():
        image = module(torch.rand(1, 3, rays, rays), torch.rand(1, 4, rays, rays), torch.randn(1, 8))
    assert image.shape == (1, 3, hybrid.output_side, hybrid.output_side)


def test_a_block_that_does_not_double_adds_to_the_image_as_it_is() -> None:
    block = _SuperresolutionBlock(4, 6, 8, 16, up=False)
    with torch.no_grad():
        block.torgb.weight.zero_()
        block.torgb.bias.copy_(torch.tensor([0.25, 0.5, -1.0]))
        image = torch.rand(2, 3, 16, 16)
        w = torch.randn(2, 8)
        features = block.conv1(block.conv0(torch.randn(2, 4, 16, 16), w), w)
        painted = block(features, image, w)
    assert features.shape == (2, 6, 16, 16)
    assert torch.allclose(painted, image + torch.tensor([0.25, 0.5, -1.0])[:, None, None])


def test_features_and_paint_are_clamped_at_256() -> None:
    block = _SuperresolutionBlock(4, 6, 8, 8, up=True)
    with torch.no_grad():
        block.conv1.bias.fill_(1e4)
        block.torgb.bias.copy_(torch.tensor([1e4, -1e4, 0.0]))
        block.torgb.weight.zero_()
        w = torch.randn(1, 8)
        features = block.conv1(block.conv0(torch.randn(1, 4, 4, 4), w), w)
        painted = block(features, torch.zeros(1, 3, 4, 4), w)
    assert torch.equal(features, torch.full_like(features, 256.0))
    assert torch.equal(painted[0, :, 0, 0], torch.tensor([256.0, -256.0, 0.0]))


def test_larger_ray_grids_are_brought_down_with_antialiasing() -> None:
    """As EG3D does: its modules take one side only."""
    module = HybridSuperresolution(HYBRIDS["hybrid2x"], 4, 8).eval()
    image, features, w = torch.rand(1, 3, 128, 128), torch.rand(1, 4, 128, 128), torch.randn(1, 8)
    small = [F.interpolate(x, size=(64, 64), mode="bilinear", antialias=True) for x in (image, features)]
    with torch.no_grad():
        assert torch.equal(module(image, features, w), module(*small, w))
