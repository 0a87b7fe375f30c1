"""The tri-plane generator: w_plus -> planes -> views (EG3D, Chan et al., CVPR 2022)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..camera import Camera, pixel_centres
from ..errors import ShapeError
from ..ops.render_rays import RayOutput, march_rays, render_rays
from ..ops.render_rays.volume import density_of
from ..ops.sample_planes import sample_planes
from .config import GeneratorConfig
from .decoder import PointDecoder
from .plane_generator import PlaneGenerator
from .plane_warp import PlaneWarp
from .render_output import RenderOutput
from .superresolution import HYBRIDS, HybridSuperresolution, ResidualSuperresolution, final_picture

_TILE_SIDE = 4  # pixels; a tile is as many rays as the native renderer takes together


class TriPlaneGenerator(PlaneGenerator):
    """Mapping, backbone, point decoder, volume renderer and super-resolution, built from a configuration alone."""

    plane_count = 3

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        plane_channels = config.backbone.out_channels // self.plane_count
        self.decoder = PointDecoder(plane_channels, config.decoder_hidden, config.feature_channels)
        if config.superresolution == "residual":
            self.superresolution: nn.Module | None = ResidualSuperresolution(config.feature_channels)
        elif config.superresolution == "none":
            self.superresolution = None
        else:
            hybrid = HYBRIDS[config.superresolution]
            self.superresolution = HybridSuperresolution(hybrid, config.feature_channels, config.w_dim)

    @property
    def warp(self) -> PlaneWarp:
        """What moves the planes of each head; only generators of planes that are moved have it."""
        warp: PlaneWarp = self.backbone["synthesis"].warp  # type: ignore[assignment]
        return warp

    def same_places(self, points: Tensor, w_from: Tensor, w_to: Tensor) -> Tensor:
        """World points [B, N, 3] of the head of ``w_to`` at the places of the face that ``points`` are of the head of
        ``w_from``; the same points where the generator has no warp, see :class:`PlaneWarp`."""
        if not self.config.knows_places:
            return points
        return self.warp.same_places(points, w_from, w_to, box_side=self.config.render.box_side)

    def _decode(self, planes: Tensor, points: Tensor, film: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """points [B, N, 3], film [B, N, 2 * decoder_hidden] -> raw density [B, N], features [B, N, F]."""
        sampled = sample_planes(
            planes, points, box_side=self.config.render.box_side, third_plane=self.config.third_plane
        )
        raw, features = self.decoder(sampled, film)
        return raw.squeeze(-1), features

    def query(self, planes: Tensor, points: Tensor, film: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Density per world unit [B, N] and RGB in [0, 1] [B, N, 3] at world points [B, N, 3]; zero outside the box.

        ``film`` [B, N, 2 * decoder_hidden] modulates the colours, as that of :meth:`render_rays`.
        """
        raw, features = self._decode(planes, points, film)
        inside = (points.abs() <= 0.5 * self.config.render.box_side).all(dim=-1)
        return density_of(raw) * inside, features[..., :3].clamp(0.0, 1.0)

    def march(
        self, planes: Tensor, origins: Tensor, directions: Tensor, distances: Tensor, film: Tensor | None = None
    ) -> RayOutput:
        """Composite given samples: rays [B, N, 3], ascending distances [B, N, S]; film as in :meth:`render_rays`."""
        return march_rays(
            planes,
            origins,
            directions,
            distances,
            self.decoder.weights(),
            box_side=self.config.render.box_side,
            third_plane=self.config.third_plane,
            film=film,
        )

    def render_rays(
        self, planes: Tensor, origins: Tensor, directions: Tensor, film: Tensor | None = None, *, exact: bool = False
    ) -> RayOutput:
        """Two-pass volume rendering of rays [B, N, 3] (unit directions); ``exact`` skips nothing.

        ``film`` [B, N, 2 * decoder_hidden] scales and shifts what each ray's colours read in the decoder, and leaves
        density as it is; see :func:`geoinv.ops.render_rays.march_rays`.
        """
        return render_rays(planes, origins, directions, self.decoder.weights(), self.sampling, exact=exact, film=film)

    def render(
        self,
        planes: Tensor,
        camera: Camera,
        *,
        w_plus: Tensor | None = None,
        resolution: int | None = None,
        superresolution: bool = True,
        exact: bool = False,
        film: Tensor | None = None,
    ) -> RenderOutput:
        """Views of heads.

        Args:
            planes: [B, 3, C, R, R], or [1, 3, C, R, R] for several views of one head.
            camera: Cameras of V views, V = B, or any V where B = 1.
            w_plus: [B, num_ws, w_dim]; only EG3D's super-resolution reads it.
            resolution: Side of the ray grid in rays; by default the configuration's.
            superresolution: Whether to double (mini) or quadruple (EG3D) the picture's side.
            exact: Whether to skip nothing; otherwise see :func:`geoinv.ops.render_rays.render_rays`.
            film: [V, side * side, 2 * decoder_hidden] for the ray grid's pixels, row by row; see :meth:`render_rays`.

        Raises:
            ShapeError: The numbers of heads and cameras do not fit, or film is not of the ray grid's shape.
        """
        heads, views = planes.shape[0], len(camera)
        if heads not in (1, views):
            raise ShapeError(f"{heads} heads cannot be seen by {views} cameras: give one camera each, or one head")
        side = resolution or self.config.neural_resolution
        film_shape = (views, side * side, 2 * self.config.decoder_hidden)
        if film is not None and film.shape != film_shape:
            raise ShapeError(f"film must be {list(film_shape)}, got {list(film.shape)}")
        # neighbouring rays read the same pixels of the planes: in tiles, more of them are still in the cache
        device = camera.cam2world.device
        order = _tile_order(side).to(device)
        origins, directions = camera.rays(pixel_centres(side, device)[order])
        cosine = (directions * camera.axis[:, None]).sum(dim=-1)  # [V, side * side]
        film = None if film is None else film[:, order]
        if heads == 1:
            origins, directions = origins.reshape(1, -1, 3), directions.reshape(1, -1, 3)
            film = None if film is None else film.flatten(0, 1)[None]
        output = self.render_rays(planes, origins, directions, film, exact=exact)
        features = _from_tiles(output.features.reshape(views, side * side, -1), side)
        alpha = _from_tiles(output.alpha.reshape(views, side * side, 1), side)
        depth = _from_tiles((output.distance.reshape(views, -1) * cosine)[..., None], side)
        if not superresolution:
            return RenderOutput(features[:, :3], alpha, depth, camera)
        return RenderOutput(*self.superresolved(features, alpha, w_plus), depth, camera)

    def superresolved(
        self, features: Tensor, alpha: Tensor, w_plus: Tensor | None = None, *, grid: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Colour and alpha of final pictures, or of patches of them: see :func:`.final_picture`.

        Args:
            features: [V, F, R, R] of rays.
            alpha: [V, 1, R, R].
            w_plus: [V, num_ws, w_dim], or [1, num_ws, w_dim] for several views; only EG3D's super-resolution reads it.
            grid: Rays along a side of the whole picture, where R is that of a patch; else R.
        """
        if self.superresolution is None:
            return features[:, :3], alpha
        code = None if w_plus is None else w_plus[:, -1].expand(len(features), -1)
        module: ResidualSuperresolution | HybridSuperresolution = self.superresolution  # type: ignore[assignment]
        return final_picture(module, features, alpha, code, white_back=self.config.white_back, grid=grid)


def _tile_order(side: int) -> Tensor:
    """[side * side] the pixels of a picture, row by row, in the order of square tiles; as they are where none fit."""
    order = torch.arange(side * side)
    if side % _TILE_SIDE:
        return order
    tiles = order.reshape(side // _TILE_SIDE, _TILE_SIDE, side // _TILE_SIDE, _TILE_SIDE)
    return tiles.transpose(1, 2).reshape(-1)


def _from_tiles(values: Tensor, side: int) -> Tensor:
    """[V, side * side, F] in the order of :func:`_tile_order` -> [V, F, side, side]."""
    tile = 1 if side % _TILE_SIDE else _TILE_SIDE
    tiles = values.reshape(values.shape[0], side // tile, side // tile, tile, tile, -1)
    return tiles.permute(0, 5, 1, 3, 2, 4).reshape(values.shape[0], -1, side, side)
