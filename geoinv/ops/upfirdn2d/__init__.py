"""Resampling of feature maps with a low-pass filter (StyleGAN2, Karras et al., CVPR 2020, section 4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import ShapeError
from .._build import load_native
from .._compile import Operation
from .._cuda import call, load_cuda
from .reference import upfirdn2d_reference

_FOLDER = Path(__file__).parent
OPERATION = Operation("upfirdn2d", (_FOLDER / "upfirdn2d_cpu.cpp",))
_CUDA_SOURCE = _FOLDER / "upfirdn2d.cu"

_LOW_PASS = (0.25, 0.75, 0.75, 0.25)  # [1, 3, 3, 1] at the gain of 2 that makes up for inserted zeros

__all__ = ["blur_after_transpose", "upfirdn2d", "upfirdn2d_reference", "upsample2"]


def upsample2(image: Tensor) -> Tensor:
    """Double the side of ``image`` [B, C, H, W] -> [B, C, 2H, 2W], as zero insertion and the filter do."""
    return upfirdn2d(image, torch.tensor(_LOW_PASS, device=image.device), up=2, padding=(2, 1))


def blur_after_transpose(features: Tensor) -> Tensor:
    """Filter the [B, C, 2H + 1, 2W + 1] output of a stride-2 transposed convolution -> [B, C, 2H, 2W]."""
    return upfirdn2d(features, torch.tensor(_LOW_PASS, device=features.device), padding=(1, 1))


def upfirdn2d(
    features: Tensor,  # [B, C, H, W]
    taps: Tensor,  # [n]
    *,
    up: int = 1,
    down: int = 1,
    padding: tuple[int, int] = (0, 0),
) -> Tensor:
    """Insert zeros, pad, filter along both axes, and keep each ``down``-th value.

    y[o] = sum over k of taps[k] * spread[o * down + k - padding[0]], along rows and along columns.

    Args:
        features: Maps.
        taps: The separable filter, as correlation; not differentiated.
        up: Zeros inserted after each value, plus one.
        down: Which values are kept.
        padding: Zeros before and after each row and column, after zero insertion.

    Returns:
        [B, C, H', W'], H' = (H * up + sum(padding) - n) // down + 1.

    Raises:
        ShapeError: Wrong shapes, or a filter longer than what it filters.

    Differentiability: first order native, second order through the reference.
    """
    if features.ndim != 4 or taps.ndim != 1:
        raise ShapeError(f"features must be [B, C, H, W] and taps [n], got {list(features.shape)}, {list(taps.shape)}")
    if min(features.shape[2:]) * up + sum(padding) < taps.shape[0]:
        raise ShapeError(f"{taps.shape[0]} taps are longer than the padded maps {list(features.shape)}")
    if features.numel() == 0 or min(padding) < 0 or not _has_kernel(features):
        return upfirdn2d_reference(features, taps, up=up, down=down, padding=padding)
    output: Tensor = _UpFirDn2d.apply(features, taps, up, down, padding)  # type: ignore[no-untyped-call]
    return output


def _has_kernel(features: Tensor) -> bool:
    if features.is_cuda:
        return features.dtype == torch.float32 and load_cuda(_CUDA_SOURCE, features.device) is not None
    is_known = features.device.type == "cpu" and features.dtype in (torch.float32, torch.bfloat16)
    return is_known and load_native(OPERATION)


def _out_length(length: int, taps: int, up: int, down: int, padding: tuple[int, int]) -> int:
    return (length * up + sum(padding) - taps) // down + 1


def _filtered(features: Tensor, taps: Tensor, up: int, down: int, pad: int, height: int, width: int) -> Tensor:
    by_pixel = features.permute(0, 2, 3, 1).contiguous()  # free where the maps are channels-last
    settings = (up, down, pad, height, width)
    if features.is_cuda:
        output = _cuda_forward(load_cuda(_CUDA_SOURCE, features.device), by_pixel, taps.float().contiguous(), settings)
    else:
        output = torch.ops.geoinv.upfirdn2d_forward(by_pixel, taps.float().contiguous(), *settings)
    return output.permute(0, 3, 1, 2)


def _cuda_forward(library: Any, x: Tensor, taps: Tensor, settings: tuple[int, int, int, int, int]) -> Tensor:
    """x [B, H, W, C] -> [B, H', W', C]; settings are up, down, pad, H', W'."""
    y = x.new_empty(x.shape[0], settings[3], settings[4], x.shape[3])
    call(library, "upfirdn2d_forward", x, taps, taps.shape[0], *x.shape, *settings, y)
    return y


class _UpFirDn2d(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, taps: Tensor, up: int, down: int, padding: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(features, taps)
        ctx.up, ctx.down, ctx.padding = up, down, padding
        height, width = (_out_length(length, taps.shape[0], up, down, padding) for length in features.shape[2:])
        return _filtered(features, taps, up, down, padding[0], height, width)

    @staticmethod
    def backward(ctx: Any, v_output: Tensor) -> tuple[Tensor | None, ...]:
        features, taps = ctx.saved_tensors
        if not ctx.needs_input_grad[0]:
            return None, None, None, None, None
        if torch.is_grad_enabled():  # create_graph=True: the kernel has no second-order rule
            output = upfirdn2d_reference(features, taps, up=ctx.up, down=ctx.down, padding=ctx.padding)
            (v_features,) = torch.autograd.grad(output, (features,), v_output, create_graph=True)
            return v_features, None, None, None, None
        # the transpose: what was skipped is inserted, what was inserted is skipped, and the filter is turned round
        height, width = features.shape[2:]
        pad = taps.shape[0] - 1 - ctx.padding[0]
        return _filtered(v_output, taps.flip(0), ctx.down, ctx.up, pad, height, width), None, None, None, None
