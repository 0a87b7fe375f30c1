"""The networks of face-api in torch: identity (dlib's ResNet), expression and age / gender, differentiable.

Source: adapted from @vladmandic/face-api 1.7.15 (MIT), whose weights (MIT) they read after :mod:`.face_api_convert`.
Tensors keep face-api's names and TensorFlow's layouts; the layers below turn them as they go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import CheckpointError

Weights = Mapping[str, Tensor]

FACE_BOX = (0.14, 0.16, 0.71)
"""(left, top, side) of the square that these networks see, as fractions of geoinv's aligned crop.

It is the chip that dlib trained its ResNet on: eye centres 0.351 of the side apart, at 0.314 of its height; in aligned
crops they lie at (0.374, 0.383) and (0.623, 0.383). Renders have the same crop, so one box
serves photo and reconstruction.
"""

_MEAN_RGB = (122.782, 117.001, 104.298)  # face-api's, subtracted in place of 0..255 centring
_LOWEST = -1e30  # stands for -inf in padded max pooling


_REINSTALL = "reinstall geoinv, or point GEOINV_WEIGHTS at its weights folder"
_UNREADABLE = (OSError, KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


@cache
def load_face_weights(name: str) -> dict[str, Tensor]:
    """Weights of ``identity``, ``expression`` or ``age_gender`` from ``weights/face``, as float32.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    from ..checkpoints.store import weights_dir

    return read_face_weights(weights_dir() / "face" / f"{name}.safetensors")


def read_face_weights(path: Path) -> dict[str, Tensor]:
    """Weights of one converted file as float32: bytes times their scale plus their minimum, as face-api has them.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            ranges = json.loads(file.metadata()["ranges"])
            if set(ranges) != set(file.keys()):
                raise ValueError("its header does not name the tensors that it holds")
            named = {name: file.get_tensor(name).float() * scale + low for name, (scale, low) in ranges.items()}
            return _FaceWeights(named, path=path)
    except (*_UNREADABLE, SafetensorError) as error:
        raise CheckpointError(f"cannot read the face network {path}: {error}", _REINSTALL) from error


class _FaceWeights(dict[str, Tensor]):
    """Weights by name; a name that the file lacks is an error of the file, where the network asks for it."""

    def __init__(self, named: Mapping[str, Tensor], path: Path) -> None:
        super().__init__(named)
        self.path = path

    def __missing__(self, name: str) -> Tensor:
        raise CheckpointError(f"the face network {self.path} lacks {name}", _REINSTALL)


def face_crops(
    images: Tensor,  # [B, 3, H, W] in [0, 1], geoinv's aligned crop
    size: int,
) -> Tensor:
    """The networks' input [B, 3, size, size] out of aligned crops (see ``FACE_BOX``)."""
    left, top, side = FACE_BOX
    height, width = images.shape[-2:]
    rows = slice(round(top * height), round((top + side) * height))
    columns = slice(round(left * width), round((left + side) * width))
    cut = images[:, :, rows, columns]
    resized = functional.interpolate(cut, (size, size), mode="bilinear", antialias=cut.shape[-1] > size)
    mean = torch.tensor(_MEAN_RGB, dtype=images.dtype, device=images.device).view(1, 3, 1, 1) / 255.0
    return resized - mean


def conv(x: Tensor, filters: Tensor, bias: Tensor | None, *, stride: int, padding: str = "same") -> Tensor:
    """Convolution with TensorFlow's filters [k, k, in, out] and its 'same' padding."""
    weight = filters.permute(3, 2, 0, 1)
    if padding == "same":
        x = _pad_same(x, weight.shape[-1], stride)
    return functional.conv2d(x, weight, bias, stride=stride)


def separable(x: Tensor, weights: Weights, name: str, *, stride: int) -> Tensor:
    """Depthwise then pointwise convolution."""
    depthwise = weights[f"{name}/depthwise_filter"].permute(2, 3, 0, 1)
    x = functional.conv2d(
        _pad_same(x, depthwise.shape[-1], stride), depthwise, stride=stride, groups=depthwise.shape[0]
    )
    return functional.conv2d(x, weights[f"{name}/pointwise_filter"].permute(3, 2, 0, 1), bias=weights[f"{name}/bias"])


def dense_features(x: Tensor, weights: Weights) -> Tensor:
    """The expression network's trunk: [B, 3, 112, 112] -> [B, 256]."""
    for block in range(4):
        x = _dense_block(x, weights, f"dense{block}", is_first=block == 0)
    return functional.avg_pool2d(x, 7, 2).flatten(1)


def _dense_block(x: Tensor, weights: Weights, name: str, *, is_first: bool) -> Tensor:
    if is_first:
        first = conv(x, weights[f"{name}/conv0/filters"], weights[f"{name}/conv0/bias"], stride=2)
    else:
        first = separable(x, weights, f"{name}/conv0", stride=2)
    first = functional.relu(first)
    second = separable(first, weights, f"{name}/conv1", stride=1)
    third = separable(functional.relu(first + second), weights, f"{name}/conv2", stride=1)
    fourth = separable(functional.relu(first + second + third), weights, f"{name}/conv3", stride=1)
    return functional.relu(first + second + third + fourth)


def xception_features(x: Tensor, weights: Weights) -> Tensor:
    """The age and gender network's trunk: [B, 3, 112, 112] -> [B, 512]."""
    entry = "entry_flow/conv_in"
    x = functional.relu(conv(x, weights[f"{entry}/filters"], weights[f"{entry}/bias"], stride=2))
    x = _reduction_block(x, weights, "entry_flow/reduction_block_0", relu_first=False)
    x = _reduction_block(x, weights, "entry_flow/reduction_block_1", relu_first=True)
    for block in range(2):
        skip = x
        for index in range(3):
            name = f"middle_flow/main_block_{block}/separable_conv{index}"
            x = separable(functional.relu(x), weights, name, stride=1)
        x = skip + x
    x = _reduction_block(x, weights, "exit_flow/reduction_block", relu_first=True)
    x = functional.relu(separable(x, weights, "exit_flow/separable_conv", stride=1))
    return functional.avg_pool2d(x, 7, 2).flatten(1)


def _reduction_block(x: Tensor, weights: Weights, name: str, *, relu_first: bool) -> Tensor:
    out = separable(functional.relu(x) if relu_first else x, weights, f"{name}/separable_conv0", stride=1)
    out = separable(functional.relu(out), weights, f"{name}/separable_conv1", stride=1)
    out = functional.max_pool2d(_pad_same(out, 3, 2, value=_LOWEST), 3, 2)
    expansion = f"{name}/expansion_conv"
    return out + conv(x, weights[f"{expansion}/filters"], weights[f"{expansion}/bias"], stride=2)


def resnet_maps(x: Tensor, weights: Weights) -> tuple[Tensor, Tensor]:
    """Inner features of dlib's ResNet, [B, 3, 150, 150] -> [B, 32, 36, 36] and [B, 64, 17, 17]."""
    x = functional.relu(_scaled_conv(x, weights, "conv32_down", stride=2, padding="valid"))
    x = functional.max_pool2d(x, 3, 2)
    for name in ("conv32_1", "conv32_2", "conv32_3"):
        x = _residual(x, weights, name)
    deeper = _residual_down(x, weights, "conv64_down")
    for name in ("conv64_1", "conv64_2", "conv64_3"):
        deeper = _residual(deeper, weights, name)
    return x, deeper


def resnet_descriptor(x: Tensor, weights: Weights) -> Tensor:
    """dlib's face descriptor: [B, 3, 150, 150] -> [B, 128]."""
    x = functional.relu(_scaled_conv(x, weights, "conv32_down", stride=2, padding="valid"))
    x = functional.max_pool2d(x, 3, 2)
    for name in ("conv32_1", "conv32_2", "conv32_3"):
        x = _residual(x, weights, name)
    for width, count in ((64, 3), (128, 2), (256, 2)):
        x = _residual_down(x, weights, f"conv{width}_down")
        for index in range(1, count + 1):
            x = _residual(x, weights, f"conv{width}_{index}")
    x = _residual_down(x, weights, "conv256_down_out")
    return x.mean(dim=(2, 3)) @ weights["fc"]


def _scaled_conv(x: Tensor, weights: Weights, name: str, *, stride: int, padding: str) -> Tensor:
    out = conv(x, weights[f"{name}/conv/filters"], weights[f"{name}/conv/bias"], stride=stride, padding=padding)
    return out * weights[f"{name}/scale/weights"].view(1, -1, 1, 1) + weights[f"{name}/scale/biases"].view(1, -1, 1, 1)


def _residual(x: Tensor, weights: Weights, name: str) -> Tensor:
    out = functional.relu(_scaled_conv(x, weights, f"{name}/conv1", stride=1, padding="same"))
    return functional.relu(_scaled_conv(out, weights, f"{name}/conv2", stride=1, padding="same") + x)


def _residual_down(x: Tensor, weights: Weights, name: str) -> Tensor:
    """Halves the size; the skip is pooled and filled up with zero channels, as dlib does."""
    out = functional.relu(_scaled_conv(x, weights, f"{name}/conv1", stride=2, padding="valid"))
    out = _scaled_conv(out, weights, f"{name}/conv2", stride=1, padding="same")
    skip = functional.avg_pool2d(x, 2, 2)
    if skip.shape[-2:] != out.shape[-2:]:
        out = functional.pad(out, (0, 1, 0, 1))
    if skip.shape[1] != out.shape[1]:
        skip = torch.cat([skip, torch.zeros_like(skip)], dim=1)
    return functional.relu(skip + out)


def _pad_same(x: Tensor, kernel: int, stride: int, value: float = 0.0) -> Tensor:
    """TensorFlow's 'same' padding: the odd pixel goes right and below."""
    height, width = x.shape[-2:]
    vertical = max((-(-height // stride) - 1) * stride + kernel - height, 0)
    horizontal = max((-(-width // stride) - 1) * stride + kernel - width, 0)
    left, top = horizontal // 2, vertical // 2
    return functional.pad(x, (left, horizontal - left, top, vertical - top), value=value)
