"""Modulated convolution against its definition: one modulated, demodulated kernel a sample."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from geoinv.ops.modulated_conv2d import modulated_conv2d


def by_definition(features: Tensor, weight: Tensor, styles: Tensor, *, demodulate: bool, up: bool) -> Tensor:
    outputs = []
    for sample, style in zip(features, styles, strict=True):
        kernel = weight * style[None, :, None, None]
        if demodulate:
            kernel = kernel * torch.rsqrt(kernel.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8)
        if not up:
            outputs.append(F.conv2d(sample[None], kernel, padding=weight.shape[-1] // 2))
            continue
        side = sample.shape[-1]
        spread = sample.new_zeros(1, sample.shape[0], 2 * side, 2 * side)
        spread[:, :, ::2, ::2] = sample
        # a true convolution (kernel flipped) of the zero-inserted maps, then the [1, 3, 3, 1] filter at gain 4
        full = F.conv2d(F.pad(spread, (2, 1, 2, 1)), kernel.flip(2, 3))
        tap = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=sample.dtype) / 8.0
        blur = (4.0 * tap[:, None] * tap[None]).expand(full.shape[1], 1, 4, 4)
        outputs.append(F.conv2d(F.pad(full, (1, 1, 1, 1)), blur, groups=full.shape[1]))
    return torch.cat(outputs)


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("demodulate", [False, True])
@pytest.mark.parametrize("side", [1, 4, 9])
def test_matches_definition(up: bool, demodulate: bool, side: int) -> None:
    random = torch.Generator().manual_seed(side)
    features = torch.randn(3, 4, side, side, generator=random, dtype=torch.float64)
    weight = torch.randn(5, 4, 3, 3, generator=random, dtype=torch.float64)
    styles = torch.randn(3, 4, generator=random, dtype=torch.float64)
    ours = modulated_conv2d(features, weight, styles, demodulate=demodulate, up=up)
    truth = by_definition(features, weight, styles, demodulate=demodulate, up=up)
    # transposed convolution leaves 2R + 1 before the filter, zero insertion 2R: they agree but for the last border
    inner = slice(0, 2 * side - 2) if up else slice(None)
    assert ours.shape == truth.shape
    assert torch.allclose(ours[..., inner, inner], truth[..., inner, inner], atol=1e-5)


def test_demodulated_output_has_unit_variance() -> None:
    features = torch.randn(2, 64, 16, 16)
    output = modulated_conv2d(features, torch.randn(32, 64, 3, 3) * 7.0, torch.rand(2, 64) + 0.5)
    assert 0.6 < output[..., 1:-1, 1:-1].std().item() < 1.5
