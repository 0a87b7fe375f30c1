"""Scale, noise, bias and activation of feature maps in one pass (what follows a convolution of StyleGAN2)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import ShapeError
from .._build import load_native
from .._compile import Operation
from .._cuda import call, load_cuda
from .reference import bias_act_reference

_FOLDER = Path(__file__).parent
OPERATION = Operation("bias_act", (_FOLDER / "bias_act_cpu.cpp",))
_CUDA_SOURCE = _FOLDER / "bias_act.cu"

_Settings = tuple[float, float, float]  # slope, gain, limit

LRELU_SLOPE = 0.2
LRELU_GAIN = math.sqrt(2.0)  # keeps the variance of a unit normal after the leaky ReLU

__all__ = ["LRELU_GAIN", "LRELU_SLOPE", "bias_act", "bias_act_reference"]


def bias_act(
    features: Tensor,  # [B, C, H, W]
    bias: Tensor | None = None,  # [C]
    *,
    scale: Tensor | None = None,  # [B, C]
    noise: Tensor | None = None,  # [H, W]
    slope: float = 1.0,
    gain: float = 1.0,
    limit: float | None = None,
) -> Tensor:
    """y = clamp(gain * lrelu(scale * x + noise + bias)).

    Args:
        features: Maps.
        bias: Bias of each channel.
        scale: Factor of each channel of each sample.
        noise: Noise, equal in all channels.
        slope: Slope of the negative side, in (0, 1]; 1 is no activation.
        gain: Positive factor of the result.
        limit: Largest magnitude of the result.

    Returns:
        [B, C, H, W], of the dtype of ``features``.

    Raises:
        ShapeError: An input is not of the stated shape.

    Differentiability: first order native, second order through the reference.
    """
    _check(features, bias, scale, noise)
    if slope <= 0.0 or gain <= 0.0:  # the backward pass tells the side of the activation by the sign of its output
        raise ValueError("slope and gain must be positive")
    # bfloat16 is left to torch, whose conversions are the faster ones (a fifth of the time of a compiled loop)
    if features.dtype != torch.float32 or features.numel() == 0 or not _has_kernel(features.device):
        return bias_act_reference(features, bias, scale=scale, noise=noise, slope=slope, gain=gain, limit=limit)
    output: Tensor = _BiasAct.apply(features, bias, scale, noise, slope, gain, limit)  # type: ignore[no-untyped-call]
    return output


def _check(features: Tensor, bias: Tensor | None, scale: Tensor | None, noise: Tensor | None) -> None:
    if features.ndim != 4:
        raise ShapeError(f"features must be [B, C, H, W], got {list(features.shape)}")
    batch, channels, height, width = features.shape
    for name, tensor, shape in (
        ("bias", bias, (channels,)),
        ("scale", scale, (batch, channels)),
        ("noise", noise, (height, width)),
    ):
        if tensor is not None and tuple(tensor.shape) != shape:
            raise ShapeError(f"{name} must be {list(shape)}, got {list(tensor.shape)}")


def _has_kernel(device: torch.device) -> bool:
    if device.type == "cuda":
        return load_cuda(_CUDA_SOURCE, device) is not None
    return device.type == "cpu" and load_native(OPERATION)


def _by_pixel(features: Tensor) -> Tensor:
    """[B, C, H, W] -> contiguous [B, H * W, C], free where the maps are channels-last."""
    return features.permute(0, 2, 3, 1).contiguous().flatten(1, 2)


def _by_channel(pixels: Tensor, like: Tensor) -> Tensor:
    """[B, H * W, C] -> channels-last [B, C, H, W]."""
    maps: Tensor = pixels.unflatten(1, like.shape[2:])
    return maps.permute(0, 3, 1, 2)


def _plain(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach().float().contiguous()


class _BiasAct(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        bias: Tensor | None,
        scale: Tensor | None,
        noise: Tensor | None,
        slope: float,
        gain: float,
        limit: float | None,
    ) -> Tensor:
        settings = (slope, gain, math.inf if limit is None else limit)
        plain = (_by_pixel(features), _plain(bias), _plain(scale), _plain(noise))
        if features.is_cuda:
            pixels = _cuda_forward(load_cuda(_CUDA_SOURCE, features.device), *plain, settings)
        else:
            pixels = torch.ops.geoinv.bias_act_forward(*plain, *settings)
        output = _by_channel(pixels, features)
        ctx.save_for_backward(features, bias, scale, noise, output)
        ctx.settings, ctx.limit = settings, limit
        return output

    @staticmethod
    def backward(ctx: Any, v_output: Tensor) -> tuple[Tensor | None, ...]:
        features, bias, scale, noise, output = ctx.saved_tensors
        inputs = (features, bias, scale, noise)
        needed = ctx.needs_input_grad[:4]
        slope, gain, _ = ctx.settings
        if torch.is_grad_enabled():  # create_graph=True: the kernel has no second-order rule
            again = bias_act_reference(
                features, bias, scale=scale, noise=noise, slope=slope, gain=gain, limit=ctx.limit
            )
            wanted = [tensor for tensor, is_needed in zip(inputs, needed, strict=True) if is_needed]
            found = iter(torch.autograd.grad(again, wanted, v_output, create_graph=True))
            return *(next(found) if is_needed else None for is_needed in needed), None, None, None
        plain = (_by_pixel(v_output), _by_pixel(output), _by_pixel(features), _plain(scale))
        if features.is_cuda:
            v_all = _cuda_backward(load_cuda(_CUDA_SOURCE, features.device), *plain, ctx.settings)
        else:
            v_all = torch.ops.geoinv.bias_act_backward(*plain, *ctx.settings)
        v_pixels, v_scale, v_bias, v_noise = v_all
        v_features = _by_channel(v_pixels, features)
        sums = (v_bias.sum(dim=(0, 1)), v_scale.sum(dim=1), v_noise.sum(dim=0).unflatten(0, features.shape[2:]))
        v_inputs = [
            v.to(tensor.dtype) if is_needed else None
            for v, tensor, is_needed in zip(sums, inputs[1:], needed[1:], strict=True)
        ]
        return v_features if needed[0] else None, *v_inputs, None, None, None


def _cuda_forward(
    library: Any, x: Tensor, bias: Tensor | None, scale: Tensor | None, noise: Tensor | None, settings: _Settings
) -> Tensor:
    """x [B, P, C] -> y [B, P, C]."""
    y = torch.empty_like(x)
    call(library, "bias_act_forward", x, bias, scale, noise, *x.shape, *settings, y)
    return y


def _cuda_backward(
    library: Any, v_y: Tensor, y: Tensor, x: Tensor, scale: Tensor | None, settings: _Settings
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Cotangents of x [B, P, C], scale [B, 1, C], bias [B, 1, C] and noise [B, P]."""
    v = torch.empty_like(x)
    call(library, "bias_act_backward", v_y, y, x.numel(), *settings, v)
    v_x = v if scale is None else v * scale[:, None]
    return v_x, (v * x).sum(dim=1, keepdim=True), v.sum(dim=1, keepdim=True), v.sum(dim=2)
