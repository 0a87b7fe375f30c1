"""G0: points and codes -> signed distance, colour, features; composited along rays (StyleSDF, sections 3.1 and 3.2).

Names of the modules are those of the released weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...camera import Camera, pixel_centres
from .config import StyleSdfConfig

_GAMMA_SCALE, _GAMMA_SHIFT, _BETA_SCALE = 15.0, 30.0, 0.25
_ENDLESS = 1e10  # length of the last slice of a ray, which so is opaque if anything is there
_CHUNK = 1 << 14  # points at a time; each takes a kilobyte a layer

Modulate = Callable[[Tensor, slice], Tensor]
"""Points [B, R * N, 3] of some rays -> alpha and beta [B, R * N, 2C]: colours read (1 + alpha) * features + beta."""


class SineLayer(nn.Module):
    """A layer of a SIREN whose frequencies and phases come from the code: sin(gamma * (W x + b) + beta)."""

    def __init__(self, in_features: int, out_features: int, w_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.bias = nn.Parameter(torch.empty(out_features))
        self.gamma = nn.Linear(w_dim, out_features)
        self.beta = nn.Linear(w_dim, out_features)

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        """[B, N, in], code [B, w_dim] -> [B, N, out]."""
        frequency = (_GAMMA_SCALE * self.gamma(code) + _GAMMA_SHIFT)[:, None]
        phase = (_BETA_SCALE * self.beta(code))[:, None]
        turned: Tensor = frequency * nn.functional.linear(features, self.weight, self.bias) + phase
        return turned.sin()


class FieldNetwork(nn.Module):
    """The field: what is at a point of the box [-1, 1]^3."""

    def __init__(self, config: StyleSdfConfig) -> None:
        super().__init__()
        width = config.w_dim
        self.pts_linears = nn.ModuleList(
            SineLayer(3 if layer == 0 else width, width, width) for layer in range(config.depth)
        )
        self.views_linears = SineLayer(width + 3, width, width)
        self.rgb_linear = nn.Linear(width, 3)
        self.sigma_linear = nn.Linear(width, 1)


@dataclass(frozen=True)
class VolumeView:
    """What G0 sees through B cameras, S x S pixels each.

    Args:
        thumb: [B, 3, S, S] in [-1, 1], about.
        features: [B, C, S, S] for G1.
        depth: [B, 1, S, S] along the optical axis in world units.
        surface: [B, 3, S, S] expected places of the surface, in world units.
        sdf: [B, S, S, N] signed distances at the samples, in units of the box.
        weights: [B, S, S, N] of the samples; they sum to 1.
        camera: The cameras.
    """

    thumb: Tensor
    features: Tensor
    depth: Tensor
    surface: Tensor
    sdf: Tensor
    weights: Tensor
    camera: Camera


def filmed(features: Tensor, film: Tensor | None) -> Tensor:
    """Features [B, N, C] modulated by alpha and beta [B, N, 2C], where there are any."""
    if film is None:
        return features
    alpha, beta = film.chunk(2, dim=-1)
    return (1.0 + alpha) * features + beta


class VolumeRenderer(nn.Module):
    """Codes [B, rows, C] and cameras -> views; codes and points -> field."""

    def __init__(self, config: StyleSdfConfig) -> None:
        super().__init__()
        self.config = config
        self.network = FieldNetwork(config)
        self.sigmoid_beta = nn.Parameter(torch.full((1,), 0.1))

    def point_features(self, points: Tensor, codes: Tensor) -> Tensor:
        """World points [B, N, 3] -> features [B, N, C], of which the signed distance is read."""
        features = points / self.config.scale
        for layer, code in zip(self.network.pts_linears, codes.unbind(1), strict=False):
            features = layer(features, code)
        return features

    def colored(self, features: Tensor, directions: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Features [B, N, C] and directions of view [B, N, 3] in the camera's axes (x right, y up, z backwards) ->
        logits of RGB [B, N, 3], features for G1 [B, N, C]."""
        seen = self.network.views_linears(torch.cat([features, directions], dim=-1), codes[:, -1])
        return self.network.rgb_linear(seen), seen

    def density(self, sdf: Tensor) -> Tensor:
        """Signed distances in units of the box -> density per world unit as the renderer takes it."""
        return torch.sigmoid(-sdf / self.sigmoid_beta) / self.sigmoid_beta

    def samples(self, camera: Camera, side: int, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Points [V, S * S, N, 3] at even depths, lengths a unit of depth [S * S], directions of view [S * S, 3]."""
        device = camera.cam2world.device
        planar = (pixel_centres(side, device) - 0.5) / camera.focal
        rays = torch.cat([planar, torch.ones_like(planar[:, :1])], dim=1)  # [S * S, 3], one unit deep
        world = rays @ camera.cam2world[:, :3, :3].transpose(1, 2)
        points = camera.cam2world[:, None, None, :3, 3] + self.depths(count, device)[:, None] * world[:, :, None]
        lengths = rays.norm(dim=1)
        axes = torch.tensor([1.0, -1.0, -1.0], device=device)  # the house's y is down and z forward
        return points, lengths, rays * axes / lengths[:, None]

    def depths(self, count: int, device: torch.device) -> Tensor:
        """[N] depths along the optical axis, each where a slice begins."""
        config = self.config
        return config.near + (config.far - config.near) * torch.arange(count, device=device) / count

    def forward(
        self,
        codes: Tensor,
        camera: Camera,
        *,
        modulate: Modulate | None = None,
        side: int | None = None,
        count: int | None = None,
    ) -> VolumeView:
        """Views through as many cameras as there are codes.

        Args:
            codes: [B, rows, C], the mean included.
            camera: B cameras.
            modulate: What a photo's details do to colours; the signed distance does not change.
            side: Pixels along a side; ``config.ray_side`` if None.
            count: Samples on a ray; ``config.num_samples`` if None.
        """
        side, count = side or self.config.ray_side, count or self.config.num_samples
        points, lengths, directions = self.samples(camera, side, count)
        rays = max(_CHUNK // count, 1)
        parts = [
            self._march(points[:, some], lengths[some], directions[some], codes, modulate, some)
            for some in (slice(start, start + rays) for start in range(0, side * side, rays))
        ]
        joined = [torch.cat(values, dim=1) for values in zip(*parts, strict=True)]
        thumb, features, depth, surface = (
            value.transpose(1, 2).reshape(len(codes), -1, side, side) for value in joined[:4]
        )
        sdf, weights = (value.reshape(len(codes), side, side, count) for value in joined[4:])
        return VolumeView(thumb, features, depth, surface, sdf, weights, camera)

    def _march(
        self,
        points: Tensor,
        lengths: Tensor,
        directions: Tensor,
        codes: Tensor,
        modulate: Modulate | None,
        some: slice,
    ) -> tuple[Tensor, ...]:
        """Points [B, R, N, 3] on R rays -> thumb [B, R, 3], features [B, R, C], depth [B, R, 1], surface [B, R, 3],
        sdf and weights [B, R, N]."""
        batch, rays, count, _ = points.shape
        flat = points.reshape(batch, rays * count, 3)
        features = self.point_features(flat, codes)
        sdf = self.network.sigma_linear(features).reshape(batch, rays, count)
        features = filmed(features, None if modulate is None else modulate(flat, some))
        views = directions[:, None].expand(rays, count, 3).reshape(1, -1, 3).expand(batch, -1, -1)
        logits, seen = self.colored(features, views, codes)
        weights = self._weights(sdf, lengths)
        color, mixed = (
            (weights[..., None] * value.reshape(batch, rays, count, -1)).sum(dim=2)
            for value in (torch.sigmoid(logits), seen)
        )
        depth = (weights * self.depths(count, points.device)).sum(dim=2, keepdim=True)
        surface = (weights[..., None] * points).sum(dim=2)
        return 2.0 * color - 1.0, mixed, depth, surface, sdf, weights

    def _weights(self, sdf: Tensor, lengths: Tensor) -> Tensor:
        """Signed distances [B, R, N] on rays that are ``lengths`` [R] long a unit of depth -> weights [B, R, N]."""
        count = sdf.shape[-1]
        step = (self.config.far - self.config.near) / count
        deltas = torch.full((count,), step, device=sdf.device, dtype=sdf.dtype)
        deltas[-1] = _ENDLESS
        alpha = 1.0 - torch.exp(-self.density(sdf) * deltas * lengths[:, None])
        open_before = torch.cumprod(1.0 - alpha + 1e-10, dim=-1)
        reaching = torch.cat([torch.ones_like(open_before[..., :1]), open_before[..., :-1]], dim=-1)
        weights = (alpha * reaching)[..., :-1]
        return torch.cat([weights, 1.0 - weights.sum(dim=-1, keepdim=True)], dim=-1)
