"""From the rendered feature image to the final picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ShapeError
from ..ops.upfirdn2d import upsample2
from .layers import StyledConv, ToFeatures


class ResidualSuperresolution(nn.Module):
    """Twice the side: bilinear colour and alpha plus a learned residual from the features (sub-pixel convolution).

    It reads the picture only, not w: detail that depends on the head is in the features already.
    """

    def __init__(self, feature_channels: int, hidden: int = 32) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(feature_channels + 1, hidden, 3, padding=1, padding_mode="replicate"),
            nn.LeakyReLU(0.2),
            nn.Conv2d(hidden, hidden, 3, padding=1, padding_mode="replicate"),
            nn.LeakyReLU(0.2),
        )
        self.head = nn.Conv2d(hidden, 16, 3, padding=1, padding_mode="replicate")  # 4 sub-pixels of RGB and alpha
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    def forward(self, features: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """features [B, F, R, R] premultiplied, alpha [B, 1, R, R] -> colour [B, 3, 2R, 2R], alpha [B, 1, 2R, 2R]."""
        # channels-last takes the convolutions of so few channels half the time
        inputs = torch.cat([features, alpha], dim=1).contiguous(memory_format=torch.channels_last)
        residual = F.pixel_shuffle(self.head(self.body(inputs)), 2)
        base = F.interpolate(
            torch.cat([features[:, :3], alpha], dim=1), scale_factor=2, mode="bilinear", align_corners=False
        )
        output = base + residual
        final_alpha = output[:, 3:].clamp(0.0, 1.0)
        return torch.minimum(output[:, :3].clamp_min(0.0), final_alpha), final_alpha


@dataclass(frozen=True)
class Hybrid:
    """One of EG3D's modules.

    Args:
        input_side: The feature image is brought to this side first.
        channels: Channels of the two blocks.
        doubles_twice: Whether the first block doubles the side too; the second always does.
    """

    input_side: int
    channels: tuple[int, int]
    doubles_twice: bool

    @property
    def output_side(self) -> int:
        return self.input_side * (4 if self.doubles_twice else 2)


HYBRIDS = {
    "hybrid2x": Hybrid(64, (128, 64), doubles_twice=False),
    "hybrid4x": Hybrid(128, (128, 64), doubles_twice=False),
    "hybrid8x": Hybrid(128, (128, 64), doubles_twice=True),
    "hybrid8xdc": Hybrid(128, (256, 128), doubles_twice=True),
}
_CLAMP = 256.0  # EG3D's guard against overflow in half precision, which it keeps in single precision


class HybridSuperresolution(nn.Module):
    """EG3D's modules: two StyleGAN2 blocks on the feature image, fed the last w.

    Source: EG3D (Chan et al., CVPR 2022), supplement; parameter names as in its released weights.
    """

    def __init__(self, hybrid: Hybrid, feature_channels: int, w_dim: int) -> None:
        super().__init__()
        self.hybrid = hybrid
        first, second = hybrid.channels
        up, side = hybrid.doubles_twice, hybrid.output_side
        self.block0 = _SuperresolutionBlock(feature_channels, first, w_dim, side // 2, up=up)
        self.block1 = _SuperresolutionBlock(first, second, w_dim, side, up=True)

    def forward(self, image: Tensor, features: Tensor, w: Tensor, grid: int | None = None) -> Tensor:
        """Final pictures of feature images, or of patches of them.

        Without gradients it goes view by view: the maps of one take 270 MB, and more at once gain nothing.

        Args:
            image: [B, 3, R, R] in [-1, 1].
            features: [B, F, R, R].
            w: [B, w_dim].
            grid: Rays along a side of the whole picture, where R is that of a patch; else R.

        Returns:
            [B, 3, output_side, output_side]; of patches the same part of that.
        """
        if image.shape[0] > 1 and not torch.is_grad_enabled():
            views = zip(*(torch.split(part, 1) for part in (image, features, w)), strict=True)
            return torch.cat([self(*view, grid) for view in views])
        rays = features.shape[-1]
        side = self.hybrid.input_side * rays // (grid or rays)
        if rays != side:
            image, features = (
                F.interpolate(x, size=(side, side), mode="bilinear", align_corners=False, antialias=True)
                for x in (image, features)
            )
        for block in (self.block0, self.block1):  # here, where the maps of one layer are free when the next are there
            features = block.conv0(features, w)
            features = block.conv1(features, w)
            image = block(features, image, w)
        return image


def final_picture(
    module: ResidualSuperresolution | HybridSuperresolution,
    features: Tensor,
    alpha: Tensor,
    w: Tensor | None,
    *,
    white_back: bool = False,
    grid: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Colour in [0, 1], premultiplied, and alpha of pictures, whichever module makes them.

    Args:
        module: The generator's super-resolution.
        features: [B, F, R, R], premultiplied; the first 3 are RGB.
        alpha: [B, 1, R, R].
        w: [B, w_dim] the last code; only EG3D's modules read it.
        white_back: Whether what the volume leaves open is white.
        grid: Rays along a side of the whole picture, where R is that of a patch; else R.

    Raises:
        ShapeError: EG3D's module without ``w``.
    """
    if isinstance(module, ResidualSuperresolution):
        color, final_alpha = module(features, alpha)
        return color, final_alpha
    if w is None:
        raise ShapeError("this generator's super-resolution needs w_plus [B, num_ws, w_dim]")
    # EG3D models the background inside the volume, or it is white: either way its pictures have no alpha
    if white_back:
        features = features + (1.0 - alpha)
    image = module(features[:, :3] * 2.0 - 1.0, features * 2.0 - 1.0, w, grid)
    return (image * 0.5 + 0.5).clamp(0.0, 1.0), torch.ones_like(image[:, :1])


class _SuperresolutionBlock(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, w_dim: int, resolution: int, *, up: bool) -> None:
        super().__init__()
        self.up = up
        self.conv0 = StyledConv(in_channels, out_channels, w_dim, resolution, up=up, noise="unused", limit=_CLAMP)
        self.conv1 = StyledConv(out_channels, out_channels, w_dim, resolution, up=False, noise="unused", limit=_CLAMP)
        self.torgb = ToFeatures(out_channels, 3, w_dim)

    def forward(self, features: Tensor, image: Tensor, w: Tensor) -> Tensor:
        """The picture [B, 3, H, W], doubled where the block doubles, and what the convolutions' features add to it."""
        painted = self.torgb(features, w).clamp(-_CLAMP, _CLAMP).float()
        result: Tensor = (upsample2(image) if self.up else image) + painted
        return result
