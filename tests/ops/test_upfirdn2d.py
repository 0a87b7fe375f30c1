"""Upsampling by the [1, 3, 3, 1] filter, against zero insertion and convolution."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from geoinv.ops.upfirdn2d import blur_after_transpose, upsample2


@pytest.mark.parametrize("side", [1, 2, 5])
def test_upsample2_is_zero_insertion_and_filter(side: int) -> None:
    image = torch.randn(2, 3, side, side, dtype=torch.float64)
    spread = image.new_zeros(2, 3, 2 * side, 2 * side)
    spread[..., ::2, ::2] = image
    tap = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64) / 8.0
    kernel = (4.0 * tap[:, None] * tap[None]).expand(3, 1, 4, 4)
    truth = F.conv2d(F.pad(spread, (2, 1, 2, 1)), kernel, groups=3)
    assert torch.allclose(upsample2(image), truth, atol=1e-12)


def test_blur_keeps_a_constant_away_from_the_border() -> None:
    blurred = blur_after_transpose(torch.ones(1, 2, 9, 9))
    assert blurred.shape == (1, 2, 8, 8)
    assert torch.allclose(blurred[..., 1:-1, 1:-1], torch.full((1, 2, 6, 6), 4.0))
