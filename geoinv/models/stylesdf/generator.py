"""The generator of StyleSDF (Or-El et al., CVPR 2022): z -> code -> G0's view -> G1's picture.

Written from a description of the published method and of the released files; names of the modules are those of the
files, so that a converter renames nothing.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...camera import Camera
from .config import StyleSdfConfig
from .upsampler import Upsampler
from .volume_renderer import VolumeRenderer, VolumeView, filmed

_SLOPE = 0.2
_AHEAD = (0.0, 0.0, -1.0)  # as the middle of a picture is seen


class StyleSdfGenerator(nn.Module):
    """Mapping, volume renderer G0 and upsampler G1, built from a configuration alone."""

    renderer_mean: Tensor  # [w_dim], drawn once when the weights were converted
    decoder_mean: Tensor  # [decoder_dim]

    def __init__(self, config: StyleSdfConfig) -> None:
        super().__init__()
        self.config = config
        self.style = nn.ModuleList(nn.Linear(config.w_dim, config.w_dim) for _ in range(config.mapping_layers))
        self.renderer = VolumeRenderer(config)
        self.decoder = Upsampler(config)
        self.register_buffer("renderer_mean", torch.zeros(config.w_dim))
        self.register_buffer("decoder_mean", torch.zeros(config.decoder_dim))

    @property
    def w_avg(self) -> Tensor:
        """[num_ws, w_dim] the mean code: zeros, as codes are differences from the mean."""
        return self.renderer_mean.new_zeros(self.config.num_ws, self.config.w_dim)

    def renderer_mapping(self, z: Tensor) -> Tensor:
        """z [B, z_dim] -> w [B, w_dim], without truncation."""
        for layer in self.style:
            z = F.leaky_relu(layer(z), _SLOPE)
        return z

    def means(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mean codes of G0 [w_dim] and G1 [decoder_dim] over random z [N, z_dim]."""
        w = self.renderer_mapping(z)
        return w.mean(dim=0), self.decoder.mapping(w).mean(dim=0)

    def mapping(self, z: Tensor, label: Tensor | None = None, *, truncation_psi: float = 1.0) -> Tensor:
        """z [B, z_dim] -> w_plus [B, num_ws, w_dim], differences from the mean; no camera label is read.

        Truncation pulls G0's code toward the mean, and then G1's, which is made of the pulled one, once more.
        """
        offset = truncation_psi * (self.renderer_mapping(z) - self.renderer_mean)
        decoder = self.decoder.mapping(self.renderer_mean + offset) - self.decoder_mean
        config = self.config
        renderer_rows = offset[:, None].expand(-1, config.renderer_rows, -1)
        decoder_rows = (truncation_psi * decoder)[:, None].expand(-1, config.decoder_rows, -1)
        return joined(renderer_rows, decoder_rows)

    def codes(self, w_plus: Tensor) -> tuple[Tensor, Tensor]:
        """w_plus [B, num_ws, w_dim] -> codes of G0 [B, rows, w_dim] and of G1 [B, rows, decoder_dim], with means."""
        config = self.config
        renderer, decoder = w_plus[:, : config.renderer_rows], w_plus[:, config.renderer_rows :]
        decoder = decoder.reshape(len(w_plus), config.decoder_rows, config.decoder_dim)
        return self.renderer_mean + renderer, self.decoder_mean + decoder

    def look(self, w_plus: Tensor, camera: Camera, *, side: int | None = None, count: int | None = None) -> VolumeView:
        """G0's views of B heads through B cameras, without details."""
        view: VolumeView = self.renderer(self.codes(w_plus)[0], camera, side=side, count=count)
        return view

    def picture(self, view: VolumeView, w_plus: Tensor) -> Tensor:
        """G1's pictures [B, 3, H, H] in [-1, 1], about, of G0's views of the same heads."""
        picture: Tensor = self.decoder(view.features, self.codes(w_plus)[1])
        return picture

    def query(
        self,
        w_plus: Tensor,
        points: Tensor,
        *,
        film: Tensor | None = None,
        direction: tuple[float, float, float] = _AHEAD,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What is at world points.

        Args:
            w_plus: [B, num_ws, w_dim].
            points: [B, N, 3] in world units.
            film: [B, N, 2C] alpha and beta of the features that colours read.
            direction: Direction of view in the camera's axes (x right, y up, z backwards).

        Returns:
            Signed distance [B, N, 1] in units of the box, logits of RGB [B, N, 3] and features for G1 [B, N, C].
        """
        codes = self.codes(w_plus)[0]
        features = self.renderer.point_features(points, codes)
        sdf = self.renderer.network.sigma_linear(features)
        logits, seen = self.renderer.colored(
            filmed(features, film), points.new_tensor(direction).expand_as(points), codes
        )
        return sdf, logits, seen


def joined(renderer: Tensor, decoder: Tensor) -> Tensor:
    """Rows of G0 [B, rows, w_dim] and of G1 [B, rows, decoder_dim], differences from the means -> w_plus."""
    pieces = decoder.reshape(len(decoder), -1, renderer.shape[-1])
    return torch.cat([renderer, pieces], dim=1)
