"""Tensors in 8 bits: half the space, and numbers that are off by half a step."""

from __future__ import annotations

import pytest
import torch

from geoinv.checkpoints.eight_bits import packed, unpacked


def test_whole_numbers_come_back() -> None:
    """A row of multiples of one step, up to 127 of them, is exact, whatever the other rows hold."""
    numbers = torch.arange(-127.0, 128.0).repeat(3, 17)
    steps = torch.tensor([[0.5], [0.03125], [8.0]])
    small = packed({"weight": numbers * steps})
    assert small["weight"].dtype == torch.int8 and small["weight.step"].dtype == torch.float16
    assert torch.equal(unpacked(small)["weight"], numbers * steps)


def test_error_of_normal_numbers() -> None:
    weight = torch.randn(8, 64, 3, 3, generator=torch.Generator().manual_seed(0))
    found = unpacked(packed({"weight": weight}))["weight"]
    assert found.shape == weight.shape
    off = (found - weight).norm() / weight.norm()
    assert 0.003 < off < 0.009  # four standard deviations are 127 steps: 4 / 127 / sqrt(12)
    largest_step = weight.abs().max() / 127.0
    inside = weight.abs() < 2.0  # farther out, a few numbers are clipped where that makes the others finer
    assert (found - weight)[inside].abs().max() < 0.52 * largest_step


def test_rows_of_zeros_and_small_tensors() -> None:
    tensors = {"zero": torch.zeros(4, 2048), "bias": torch.randn(5000), "few": torch.randn(8, 8)}
    small = packed(tensors)
    assert {name: tensor.dtype for name, tensor in small.items()} == {
        "zero": torch.int8,
        "zero.step": torch.float16,
        "bias": torch.float16,
        "few": torch.float16,
    }
    back = unpacked(small)
    assert back.keys() == tensors.keys() and not back["zero"].any()
    assert torch.equal(back["bias"], tensors["bias"].half().float())


def test_floats_are_left_alone() -> None:
    tensors = {"weight": torch.randn(4, 4), "size.step": torch.ones(3)}
    assert all(torch.equal(unpacked(tensors)[name], value) for name, value in tensors.items())


@pytest.mark.parametrize("steps", [None, torch.ones(3), torch.ones(4, 1)])
def test_rejects_steps_that_do_not_fit(steps: torch.Tensor | None) -> None:
    tensors = {"weight": torch.ones(4, 2, dtype=torch.int8)} | ({} if steps is None else {"weight.step": steps})
    with pytest.raises(ValueError, match="weight is in 8 bits"):
        unpacked(tensors)
