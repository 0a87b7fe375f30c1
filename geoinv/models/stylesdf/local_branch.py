"""The local branch: what a photo shows beyond its code, brought to any view (E3DGE, sections 3.3 and 3.4).

Features of a point come by two ways. By 3D alignment the point is looked up in the photo's own features; by 2D
alignment ADA brings the photo's residual to the query view, and the point is looked up there. Fused, they modulate the
colours of G0, never its signed distance. Names of the modules are those of the released weights, in one tree.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...camera import Camera
from ..source_view import sampled
from .aligner import ResidualAligner
from .config import StyleSdfDetailConfig
from .local_encoder import LocalEncoder, ResidualLinear
from .volume_renderer import Modulate, VolumeView

RESIDUAL_SIDE = 256
_OCTAVES = 7
_PLACE_CHANNELS = 3 + 3 * 2 * _OCTAVES
_SLOPE = 0.2


class Fusion(nn.Module):
    """Features by 2D and 3D alignment [B, N, C], and whether the photo's frame has the point [B, N, 1] -> [B, N, C]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.encode_enc = ResidualLinear(2 * channels + 1, channels)
        self.scale = _two_layers(channels)
        self.shift = _two_layers(channels)

    def forward(self, in_2d: Tensor, visible: Tensor, in_3d: Tensor) -> Tensor:
        hidden = self.encode_enc(torch.cat([in_2d, visible, in_3d], dim=-1))
        fused: Tensor = in_3d + in_3d * self.scale(hidden) + self.shift(hidden)
        return fused


def _two_layers(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(channels, channels), nn.LeakyReLU(_SLOPE), nn.Linear(channels, channels))


class StyleSdfLocalBranch(nn.Module):
    """E1, ADA and, for hybrid alignment, the network that fuses both."""

    def __init__(self, config: StyleSdfDetailConfig) -> None:
        super().__init__()
        self.config = config
        self.local = LocalEncoder(config, _PLACE_CHANNELS)
        self.aligner = ResidualAligner(config.aligner_widths)
        self.fusion = Fusion(config.w_dim) if config.is_hybrid else None

    def source_features(self, residual: Tensor, view: VolumeView, *, is_edited: bool) -> Tensor | None:
        """Features [B, C, 64, 64] of the photo's own pixels; None where 2D alignment is all there is.

        Args:
            residual: [B, 3, 256, 256] of the photos, against their heads before any edit.
            view: The heads as they are shown, in the photos' views.
            is_edited: Whether they are edited, so that the residual has to follow.
        """
        if self.fusion is None:
            return None
        own = self.aligner(residual, view.thumb) if is_edited else residual
        features: Tensor = self.local(own, view.depth)
        return features

    def query_features(self, residual: Tensor, query: VolumeView) -> Tensor:
        """Features [B, C, 64, 64] by 2D alignment: of the residual as brought to the query views, with their depth."""
        features: Tensor = self.local(self.aligner(residual, query.thumb), query.depth)
        return features

    def modulation(self, residual: Tensor, in_source: Tensor | None, source: Camera, query: VolumeView) -> Modulate:
        """The modulation of points on the rays of query views.

        Args:
            residual: [B, 3, 256, 256] of the photos, against their heads before any edit.
            in_source: What :meth:`source_features` gave.
            source: Cameras of the photos.
            query: The heads as they are shown, without details, in the query views.
        """
        in_query = self.query_features(residual, query)
        visible = in_frame(query.surface.flatten(2).transpose(1, 2), source)  # the same for all samples of a ray

        def modulate(points: Tensor, rays: slice) -> Tensor:
            by_query = sampled(in_query, query.camera.project(points)[0])
            if self.fusion is None or in_source is None:
                return self.film(by_query, points)
            of_ray = visible[:, rays]
            of_point = of_ray.repeat_interleave(points.shape[1] // of_ray.shape[1], dim=1)
            by_source = sampled(in_source, source.project(points)[0])
            return self.film(self.fusion(by_query, of_point, by_source), points)

        return modulate

    def film_in_source(self, points: Tensor, in_query: Tensor, in_source: Tensor | None, source: Camera) -> Tensor:
        """Alpha and beta [B, N, 2C] of world points [B, N, 3] on no query's ray: the photos' views are the query.

        Args:
            points: In world units.
            in_query: What :meth:`query_features` gave for the photos' views.
            in_source: What :meth:`source_features` gave.
            source: Cameras of the photos.
        """
        positions = source.project(points)[0]
        by_query = sampled(in_query, positions)
        if self.fusion is None or in_source is None:
            return self.film(by_query, points)
        visible = in_frame(points, source)
        return self.film(self.fusion(by_query, visible, sampled(in_source, positions)), points)

    def film(self, features: Tensor, points: Tensor) -> Tensor:
        """Features [B, N, C] and world points [B, N, 3] -> alpha and beta [B, N, 2C]."""
        joined = torch.cat([features, place_code(points)], dim=-1)
        film: Tensor = self.local.local_feat_to_tex_modulations_linear(joined)
        return film


def in_frame(points: Tensor, camera: Camera) -> Tensor:
    """[B, N, 1] 1 where the camera's picture has world points [B, N, 3], else 0."""
    positions, _ = camera.project(points)
    return ((positions >= 0.0) & (positions <= 1.0)).all(dim=-1, keepdim=True).to(points.dtype)


def place_code(points: Tensor) -> Tensor:
    """World points [..., 3] -> [..., 45]: themselves, and sines and cosines of seven octaves, in world units."""
    parts = [points]
    for octave in range(_OCTAVES):
        parts += [torch.sin(2.0**octave * points), torch.cos(2.0**octave * points)]
    return torch.cat(parts, dim=-1)


def residual_of(photo: Tensor, thumb: Tensor) -> Tensor:
    """Photo [B, 3, 256, 256] minus G0's picture of it [B, 3, 64, 64], both in [-1, 1]; the latter in blocks."""
    return photo - F.interpolate(thumb, size=photo.shape[-2:])
