"""PSNR, SSIM and sharpness of images in [0, 1], over a mask where one is given."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import ShapeError

PEAK_PSNR_DB = 100.0
"""PSNR of identical images in place of infinity, so that means stay finite (and JSON stays valid)."""


def psnr_db(
    image: Tensor,  # [B, C, H, W] in [0, 1]
    target: Tensor,  # [B, C, H, W] in [0, 1]
    mask: Tensor | None = None,  # [B, 1, H, W] weights >= 0
) -> Tensor:
    """Peak signal-to-noise ratio per image in decibels: ``-10 log10(mean squared error over the mask)``.

    Returns:
        [B]; an image whose mask is empty is nan.
    """
    _check(image, target, mask)
    squared = (image - target).square()  # [B, C, H, W]
    error = _masked_mean(squared, mask)
    return -10.0 * torch.log10(error.clamp_min(10.0 ** (-PEAK_PSNR_DB / 10.0)))


def ssim(
    image: Tensor,  # [B, C, H, W] in [0, 1]
    target: Tensor,  # [B, C, H, W] in [0, 1]
    mask: Tensor | None = None,  # [B, 1, H, W] weights >= 0
    *,
    window_size: int = 11,
    sigma: float = 1.5,
) -> Tensor:
    """Structural similarity per image with a Gaussian window, averaged over the mask.

    The window is cut off at the border (reflected), so that the map has the image's size and any mask fits.

    Returns:
        [B], 1 for equal images; an image whose mask is empty is nan.

    Source: Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004, eq. 13.
    """
    _check(image, target, mask)
    c1, c2 = 0.01**2, 0.03**2
    mean_x, mean_y = (_blur(value, window_size, sigma) for value in (image, target))
    variance_x = _blur(image.square(), window_size, sigma) - mean_x.square()
    variance_y = _blur(target.square(), window_size, sigma) - mean_y.square()
    covariance = _blur(image * target, window_size, sigma) - mean_x * mean_y
    luminance = (2.0 * mean_x * mean_y + c1) / (mean_x.square() + mean_y.square() + c1)
    contrast = (2.0 * covariance + c2) / (variance_x + variance_y + c2)
    return _masked_mean(luminance * contrast, mask)


def sharpness(
    image: Tensor,  # [B, C, H, W]
    target: Tensor,  # [B, C, H, W]
    mask: Tensor | None = None,  # [B, 1, H, W] weights >= 0
) -> Tensor:
    """Mean length of the gradient of brightness (the mean of channels) over that of the target: 1 is as sharp.

    Returns:
        [B]; an image whose mask is empty is nan.
    """
    _check(image, target, mask)
    inner = None if mask is None else mask[..., :-1, :-1]
    return _masked_mean(_gradient(image), inner) / _masked_mean(_gradient(target), inner).clamp_min(1e-9)


def _gradient(image: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, 1, H - 1, W - 1]: lengths of gradients, from a pixel to its right and its lower neighbour."""
    brightness = image.mean(dim=1, keepdim=True)
    across, down = brightness.diff(dim=3)[..., :-1, :], brightness.diff(dim=2)[..., :-1]
    return (across.square() + down.square()).sqrt()


def _blur(image: Tensor, window_size: int, sigma: float) -> Tensor:
    """Separable Gaussian over [B, C, H, W], borders reflected."""
    offsets = torch.arange(window_size, dtype=image.dtype, device=image.device) - (window_size - 1) / 2
    window = torch.exp(-offsets.square() / (2.0 * sigma**2))
    window = window / window.sum()
    channels, margin = image.shape[1], window_size // 2
    padded = functional.pad(image, (margin, margin, margin, margin), mode="reflect")
    rows = functional.conv2d(padded, window.view(1, 1, 1, -1).expand(channels, -1, -1, -1), groups=channels)
    return functional.conv2d(rows, window.view(1, 1, -1, 1).expand(channels, -1, -1, -1), groups=channels)


def _masked_mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """[B, C, H, W] -> [B], weighted by a [B, 1, H, W] mask."""
    if mask is None:
        return values.mean(dim=(1, 2, 3))
    weights = mask.to(values.dtype)
    total = (values.mean(dim=1, keepdim=True) * weights).sum(dim=(1, 2, 3))
    return total / weights.sum(dim=(1, 2, 3))


def _check(image: Tensor, target: Tensor, mask: Tensor | None) -> None:
    if image.ndim != 4 or image.shape != target.shape:
        raise ShapeError(f"image and target must both be [B, C, H, W], got {list(image.shape)}, {list(target.shape)}")
    if mask is not None and mask.shape != (image.shape[0], 1, *image.shape[2:]):
        raise ShapeError(f"mask must be [B, 1, H, W], got {list(mask.shape)} for images {list(image.shape)}")
