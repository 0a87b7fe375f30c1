"""Weight-modulated convolution of StyleGAN2 (Karras et al., CVPR 2020, section 2.2).

Modulating the weights by a style is the same as scaling the input channels by it, and demodulating is a scale of the
output channels. Done on activations, one dense convolution serves the whole batch instead of one group a sample; for a
single sample the weights are scaled where they are fewer.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import ShapeError
from .._build import backend_choice, load_native
from .._compile import Operation
from .._gradients import needs_gradient
from ..bias_act import bias_act
from ..upfirdn2d import blur_after_transpose
from .reference import modulated_conv2d_reference

_FOLDER = Path(__file__).parent
OPERATION = Operation("modulated_conv2d", (_FOLDER / "modulated_conv2d_cpu.cpp",))

_CHANNELS = 32  # the kernel's panels hold so many channels (16 without AVX-512)
# 4 x 4 tiles of outputs from which on fewer products outweigh the transform of the weights, as measured at 512 channels
# on one thread: 8 x 8 maps took 6.0 ms against 4.9 ms of oneDNN, 16 x 16 maps 6.7 against 11.3.
_MIN_TILES = 16

__all__ = ["modulated_conv2d", "modulated_conv2d_reference"]


def modulated_conv2d(
    features: Tensor,  # [B, C_in, H, W]
    weight: Tensor,  # [C_out, C_in, k, k]
    styles: Tensor,  # [B, C_in]
    *,
    demodulate: bool = True,
    up: bool = False,
    noise: Tensor | None = None,  # [H', W']
    bias: Tensor | None = None,  # [C_out]
    slope: float = 1.0,
    gain: float = 1.0,
    limit: float | None = None,
) -> Tensor:
    """y = clamp(gain * lrelu(d * conv(s * x) + noise + bias)), d = 1 / sqrt(sum of (s * weight)^2 + 1e-8) or 1.

    Args:
        features: Input maps.
        weight: Shared kernel; ``k`` odd.
        styles: Scale of each input channel.
        demodulate: Whether to normalise each output channel to unit expected variance.
        up: Double the resolution by a stride-2 transposed convolution and the [1, 3, 3, 1] filter.
        noise: Added to all channels.
        bias: Bias of each output channel.
        slope: Slope of the negative side; 1 is no activation.
        gain: Positive factor of the result.
        limit: Largest magnitude of the result.

    Returns:
        [B, C_out, H, W], or [B, C_out, 2H, 2W] with ``up``.

    Raises:
        ShapeError: An input is not of the stated shape.

    Differentiability: first order by torch's convolutions and the native backward of bias_act and upfirdn2d, second
    order through the references. The Winograd kernel serves where nothing asks for a gradient.
    """
    if features.ndim != 4 or weight.ndim != 4 or weight.shape[1] != features.shape[1]:
        raise ShapeError(f"weight must be [C_out, {features.shape[1]}, k, k], got {list(weight.shape)}")
    if styles.shape != features.shape[:2]:
        raise ShapeError(f"styles must be {list(features.shape[:2])}, got {list(styles.shape)}")
    if backend_choice() == "reference":
        return modulated_conv2d_reference(
            features,
            weight,
            styles,
            demodulate=demodulate,
            up=up,
            noise=noise,
            bias=bias,
            slope=slope,
            gain=gain,
            limit=limit,
        )
    scale: Tensor | None = None
    if demodulate:
        squares = _squares(weight)
        scale = torch.rsqrt(styles.to(squares.dtype).square() @ squares.T + 1e-8)  # [B, C_out]
    if _suits_winograd(features, weight, up) and not needs_gradient(features, weight, styles, noise, bias):
        return _winograd(features, weight, styles, scale, noise, bias, up, (slope, gain, limit))
    features = features.contiguous(memory_format=torch.channels_last)
    kernel = weight
    if features.shape[0] == 1 and weight.numel() < features.numel():
        kernel = weight * styles[0, :, None, None]
    else:
        features = features * styles[:, :, None, None].to(features.dtype)
    kernel = kernel.to(features.dtype)
    if up:
        output = blur_after_transpose(F.conv_transpose2d(features, kernel.transpose(0, 1), stride=2))
    else:
        is_last = scale is None and noise is None and slope == 1.0 and gain == 1.0 and limit is None
        inner_bias = bias.to(features.dtype) if bias is not None and is_last else None
        output = F.conv2d(features, kernel, inner_bias, padding=weight.shape[-1] // 2)
        if is_last:
            return output
    return bias_act(output, bias, scale=scale, noise=noise, slope=slope, gain=gain, limit=limit)


def _squares(weight: Tensor) -> Tensor:
    """[C_out, C_in] sums of the squares of the taps, at least in float32."""
    is_plain = weight.device.type == "cpu" and weight.dtype == torch.float32 and not needs_gradient(weight)
    if is_plain and load_native(OPERATION):
        squares: Tensor = torch.ops.geoinv.modulated_conv2d_energy(weight.contiguous())  # without a copy of all squares
        return squares
    return weight.to(torch.promote_types(weight.dtype, torch.float32)).square().sum(dim=(2, 3))


def _suits_winograd(features: Tensor, weight: Tensor, up: bool) -> bool:
    """Whether the native kernel takes these maps and is the faster one."""
    batch, _, height, width = features.shape
    tiles = batch * (height * width // (4 if up else 16))
    return (
        features.device.type == "cpu"
        and features.dtype == weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and weight.shape[-1] == 3
        and weight.shape[0] % _CHANNELS == 0
        and weight.shape[1] % _CHANNELS == 0
        and tiles >= _MIN_TILES
        and load_native(OPERATION)
    )


def _winograd(
    features: Tensor,
    weight: Tensor,
    styles: Tensor,
    scale: Tensor | None,
    noise: Tensor | None,
    bias: Tensor | None,
    up: bool,
    activation: tuple[float, float, float | None],  # slope, gain, limit
) -> Tensor:
    def plain(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else tensor.float().contiguous()

    slope, gain, limit = activation
    output: Tensor = torch.ops.geoinv.modulated_conv2d_forward(
        features.permute(0, 2, 3, 1).contiguous(),  # free where the maps are channels-last
        weight.contiguous(),
        styles.float().contiguous(),
        plain(scale),
        plain(noise),
        plain(bias),
        up,
        slope,
        gain,
        math.inf if limit is None else limit,
    )
    return output.permute(0, 3, 1, 2)
