"""Tensors as files hold them: in 16 bits, or in 8.

In 8 bits they are whole numbers from -127 to 127, and what a step is worth in each row: a tensor NAME [R, ...] of
floats becomes NAME int8 and ``NAME.step`` float16 [R]. Only large tensors do: of the others nothing is gained.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

STEP = ".step"
_FEWEST = 4096  # numbers of a tensor that is packed
_CLIPS = torch.linspace(0.6, 1.0, 17)  # fractions of a row's largest number that are tried as the end of the range


def halves(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors in 16 bits, as files hold them."""
    return {name: tensor.detach().to(torch.float16).contiguous().cpu() for name, tensor in tensors.items()}


def packed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors with the large ones in 8 bits, and the others in 16."""
    small = halves(tensors)
    for name, tensor in tensors.items():
        if tensor.ndim >= 2 and tensor.numel() >= _FEWEST and tensor.is_floating_point():
            small[name], small[name + STEP] = _in_steps(tensor.detach().float().cpu())
    return small


def unpacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Float32 tensors of packed ones, or of others.

    Raises:
        ValueError: Numbers of 8 bits without steps that fit, or steps of none.
    """
    whole: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name.endswith(STEP) and name.removesuffix(STEP) in tensors:
            continue
        if tensor.dtype is not torch.int8:
            whole[name] = tensor.float()
            continue
        steps = tensors.get(name + STEP)
        if steps is None or tensor.ndim < 1 or steps.shape != tensor.shape[:1]:
            raise ValueError(f"{name} is in 8 bits and has no steps that fit")
        whole[name] = tensor.float() * steps.float().view(-1, *[1] * (tensor.ndim - 1))
    return whole


def _in_steps(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """Whole numbers int8 [R, ...] and steps float16 [R], each such that the row's squared error is least."""
    rows = tensor.flatten(1)
    largest = rows.abs().amax(dim=1, keepdim=True)
    steps, least = torch.zeros_like(largest), torch.full_like(largest, torch.inf)
    for clip in _CLIPS:
        tried = _as_stored(clip * largest / 127.0)
        error = (_rounded(rows, tried) * tried - rows).square().sum(dim=1, keepdim=True)
        steps, least = torch.where(error < least, tried, steps), torch.minimum(error, least)
    return _rounded(rows, steps).to(torch.int8).view_as(tensor), steps[:, 0].to(torch.float16)


def _as_stored(steps: Tensor) -> Tensor:
    """Steps as float16 holds them, and none of them 0."""
    return steps.clamp_min(1e-7).to(torch.float16).float()


def _rounded(rows: Tensor, steps: Tensor) -> Tensor:
    return (rows / steps).round().clamp(-127.0, 127.0)
