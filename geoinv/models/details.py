"""The local branch of E3DGE whole: details of a photo that a code cannot hold, carried to any view of the head.

Of each ray of a query view, the point of the surface that it hits is looked up in the photo's view (3D alignment, with
a depth test for what the photo hides), and its pixel in the residual that was brought to the query view (2D
alignment). Both together modulate the decoder's hidden units for colours alone: density, and so the shape, is that of
the code. A ray hits one surface, so it has one modulation, where the paper computes one for each of its samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..camera import pixel_centres, project, rays_through
from ..conventions import FOCAL
from .alignment import FeatureFusion, ResidualAligner
from .config import DetailConfig
from .generator import RenderOutput, TriPlaneGenerator
from .local_encoder import LocalEncoder
from .precision import fast_precision

Alignment = Literal["hybrid", "3d", "2d"]
"""Which of both ways features come to the query view; the single ones are for comparison."""

_OCTAVES = 4
_GRAZING, _SQUARE = 0.1, 0.4
"""Cosines between the surface and the photo's ray (84 and 66 degrees): up to the first nothing is trusted, from the
second on all."""
_DETAILS_GO = (0.15, 0.35)
"""Changes of a colour in [0, 1] by an edit at the same place of the face: up to the first the photo's details about it
stay, from the second on they go. A smile's shading stays below, teeth and hair of another colour lie above; with 0.04
and 0.1 the whole mouth of a smile was a blur."""
_TONE_GOES = (0.05, 0.15)
"""By how much all colours of a place get brighter: from the second on nothing of the photo stays there. With the tone
of the lips before them, teeth were lilac; what gets darker, as folds do, keeps the tone of its skin."""
_NEAR, _FAR = 0.02, 0.05
"""World units (7 and 18 mm) from the surface that the photo shows: up to the first a point is seen, from the second
on hidden."""


@dataclass(frozen=True)
class SourceView:
    """What the photo shows of a reconstructed head.

    Args:
        residual: [B, 3, 2S, 2S] the photo minus the reconstruction, where both show the person.
        depth: [B, 1, S, S] of the reconstruction along the optical axis in world units, 0 where it is not solid.
        color: [B, 3, S, S] of the reconstruction, in [0, 1], premultiplied.
        cam2world: [B, 4, 4].
    """

    residual: Tensor
    depth: Tensor
    color: Tensor
    cam2world: Tensor

    @classmethod
    def of(cls, photo: Tensor, person: Tensor, reconstruction: RenderOutput, cam2world: Tensor) -> SourceView:
        """From a photo [B, 3, 2S, 2S] in [0, 1], where the person is in it [B, 1, 2S, 2S], and the head in its view."""
        solid = F.avg_pool2d(reconstruction.alpha, 2) > 0.5
        depth = torch.where(solid, reconstruction.depth, 0.0)
        residual = (photo * reconstruction.alpha - reconstruction.color) * person
        return cls(residual, depth, F.avg_pool2d(reconstruction.color, 2), cam2world)

    def expanded(self, views: int) -> SourceView:
        """The same for several query views of one head."""
        parts = (self.residual, self.depth, self.color, self.cam2world)
        return SourceView(*(part.expand(views, *part.shape[1:]) for part in parts))


@dataclass(frozen=True)
class QueryRays:
    """Rays of a view, and what they see of the head without details.

    Args:
        pixels: [B, N, 2] normalised positions in the query view.
        points: [B, N, 3] where they hit the surface, world.
        places: [B, N, 3] where the head in the photo has these places of the face; the points, unless it is edited.
        color: [B, N, 3] in [0, 1], premultiplied.
        alpha: [B, N].
    """

    pixels: Tensor
    points: Tensor
    places: Tensor
    color: Tensor
    alpha: Tensor


@dataclass(frozen=True)
class Edit:
    """What is done to a head: its code in the photo and the one that is shown, [B, num_ws, w_dim] each."""

    before: Tensor
    after: Tensor

    def expanded(self, views: int) -> Edit:
        """The same for several views of one head."""
        return Edit(self.before.expand(views, -1, -1), self.after.expand(views, -1, -1))


@dataclass(frozen=True)
class EditedShares:
    """How far an edit changed the colours of rays, [B, N, 1] in [0, 1] each.

    Args:
        about: Somewhere about a ray: the photo's details go there, and its tone stays.
        itself: Of the ray itself, to brighter ones: nothing of the photo stays.
    """

    about: Tensor
    itself: Tensor

    @classmethod
    def of(cls, rays: QueryRays, source: SourceView) -> EditedShares:
        """Of rays that have no neighbours."""
        change = _in_photo(rays, source)[2]
        most, least = change.abs().amax(dim=-1, keepdim=True), change.amin(dim=-1, keepdim=True)
        return cls(_ramp(most, *_DETAILS_GO), _ramp(least, *_TONE_GOES))


class LocalBranch(nn.Module):
    """E1, ADA, SFT and the FiLM head: zero at first, so that an untrained branch changes nothing."""

    def __init__(self, config: DetailConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = LocalEncoder(config.channels, config.widths)
        self.aligner = ResidualAligner(config.aligner_widths)
        self.fusion = FeatureFusion(config.channels, config.hidden)
        told = config.channels + 3 + 1 + 3 * (1 + 2 * _OCTAVES)
        self.film = nn.Sequential(
            nn.Linear(told, config.hidden), nn.SiLU(), nn.Linear(config.hidden, 2 * config.decoder_hidden)
        )
        for parameter in self.film[-1].parameters():
            nn.init.zeros_(parameter)

    def source_features(self, source: SourceView) -> Tensor:
        """[B, C, S, S] features of the photo's own pixels."""
        with fast_precision(source.residual.device):
            features: Tensor = self.encoder(source.residual, source.depth)
        return features.float()

    def query_features(self, source: SourceView, query: RenderOutput) -> tuple[Tensor, Tensor]:
        """[B, C, S, S] features of the residual as brought to the query view, and that residual [B, 3, 2S, 2S]."""
        with fast_precision(source.residual.device):
            aligned = self.aligner(source.residual, query.color).float() * query.alpha
            solid = F.avg_pool2d(query.alpha, 2) > 0.5
            features: Tensor = self.encoder(aligned, torch.where(solid, query.depth, 0.0))
        return features.float(), aligned

    def modulation(
        self,
        rays: QueryRays,
        source: SourceView,
        source_features: Tensor | None,
        query_features: Tensor | None,
        edited: EditedShares | None = None,
    ) -> Tensor:
        """FiLM [B, N, 2 * decoder_hidden] of rays.

        Args:
            rays: Of the query view.
            source: What the photo shows.
            source_features: Of :meth:`source_features`; None to do without.
            query_features: Of :meth:`query_features`; None to do without.
            edited: Of :func:`edited_shares`; None where the head is not edited.
        """
        batch, count = rays.alpha.shape
        none = rays.points.new_zeros(batch, count, self.config.channels)
        visibility, change = none[..., :1], none[..., :3]
        aligned_3d, aligned_2d = none, none
        if source_features is not None:
            positions, visibility, change = _in_photo(rays, source)
            aligned_3d = _where_edited(source_features, positions, edited) * visibility
        if query_features is not None:
            aligned_2d = _where_edited(query_features, rays.pixels, edited)
        fused = self.fusion(aligned_3d, aligned_2d, visibility, change)
        told = torch.cat([fused, rays.color, rays.alpha[..., None], _position_code(rays.points)], dim=-1)
        shown = rays.alpha[..., None] if edited is None else rays.alpha[..., None] * (1.0 - edited.itself)
        return self.film(told) * shown


def edited_shares(rays: QueryRays, source: SourceView) -> EditedShares:
    """How far an edit changed the colours of the rays of a view's whole grid [B, S * S]."""
    shares = EditedShares.of(rays, source)
    batch, count, _ = shares.about.shape
    side = math.isqrt(count)
    reach = 2 * (side // 32) + 1
    about = F.max_pool2d(shares.about.reshape(batch, 1, side, side), reach, stride=1, padding=reach // 2)
    about = F.avg_pool2d(about, reach, stride=1, padding=reach // 2)
    return replace(shares, about=about.reshape(batch, count, 1))


def _ramp(value: Tensor, start: float, stop: float) -> Tensor:
    """0 up to ``start``, 1 from ``stop`` on."""
    return ((value - start) / (stop - start)).clamp(0.0, 1.0)


def _in_photo(rays: QueryRays, source: SourceView) -> tuple[Tensor, Tensor, Tensor]:
    """Positions of rays in the photo's view, [B, N, 2], how surely it shows them, [B, N, 1], and by how much the code's
    own colour is another than there, [B, N, 3].

    An edit shows as another colour at the same place of the surface; there the photo's details fit no more.
    """
    positions, distance = project(rays.places, source.cam2world)
    visibility = _visibility(positions, distance, source.depth)
    return positions, visibility, (rays.color - _sampled(source.color, positions)) * visibility


def _where_edited(maps: Tensor, positions: Tensor, edited: EditedShares | None) -> Tensor:
    """Features [B, N, C] at positions; where the head was edited, what they are about there: its tone, no details."""
    fine = _sampled(maps, positions)
    if edited is None:
        return fine
    size = 2 * (maps.shape[-1] // 16) + 1
    coarse = F.avg_pool2d(maps, size, stride=1, padding=size // 2, count_include_pad=False)
    return fine + edited.about * (_sampled(coarse, positions) - fine)


def _sampled(maps: Tensor, positions: Tensor) -> Tensor:
    """maps [B, C, S, S] at normalised positions [B, N, 2] -> [B, N, C]."""
    sampled = F.grid_sample(maps, positions[:, :, None] * 2.0 - 1.0, align_corners=False)
    return sampled[..., 0].transpose(1, 2)


def _visibility(positions: Tensor, distance: Tensor, depth: Tensor) -> Tensor:
    """[B, N, 1] in [0, 1]: how surely the photo shows points at camera depth [B, N].

    The depth test is averaged over neighbouring pixels (as for soft shadows: Reeves et al., SIGGRAPH 1987), so that its
    edges are no stairs, and weighed by how squarely the photo looks at the surface there.
    """
    side = depth.shape[-1]
    facing = _facing(depth)
    grid = positions[:, :, None] * 2.0 - 1.0
    total = torch.zeros_like(distance)
    for row in (-1, 0, 1):
        for column in (-1, 0, 1):
            near = grid + 2.0 / side * torch.tensor([column, row], dtype=grid.dtype, device=grid.device)
            shown = F.grid_sample(depth, near, mode="nearest", align_corners=False)[:, 0, :, 0]  # 0 beside the photo
            away = (distance - shown).abs()
            total = total + (1.0 - _ramp(away, _NEAR, _FAR)) * (shown > 0.0)
    weight = F.grid_sample(facing, grid, align_corners=False)[:, 0, :, 0]
    return (total / 9.0 * weight)[..., None]


def _facing(depth: Tensor) -> Tensor:
    """[B, 1, S, S] in [0, 1]: 1 where the surface of a depth map is seen squarely, 0 at grazing angles and outlines."""
    side = depth.shape[-1]
    across = F.pad(depth, (1, 1, 1, 1), mode="replicate")
    slope_x = 0.5 * (across[..., 1:-1, 2:] - across[..., 1:-1, :-2])
    slope_y = 0.5 * (across[..., 2:, 1:-1] - across[..., :-2, 1:-1])
    pixel = depth.clamp_min(1e-3) / (FOCAL * side)  # world units that a pixel covers
    cosine = torch.rsqrt(1.0 + (slope_x.square() + slope_y.square()) / pixel.square())
    certain = _ramp(cosine, _GRAZING, _SQUARE)
    return F.avg_pool2d(certain, 3, stride=1, padding=1, count_include_pad=False)


def _position_code(points: Tensor) -> Tensor:
    """World points [B, N, 3] and sines and cosines of them in octaves, [B, N, 3 + 6 * octaves] (NeRF)."""
    scales = 2.0 ** torch.arange(_OCTAVES, device=points.device) * math.pi
    angles = (points[..., None] * scales).flatten(-2)
    return torch.cat([points, angles.sin(), angles.cos()], dim=-1)


def rays_of_view(query: RenderOutput, cam2world: Tensor) -> QueryRays:
    """The rays of a view's own grid, row by row, of a head that is not edited."""
    batch, _, side, _ = query.depth.shape
    pixels = pixel_centres(side, cam2world.device)
    origins, directions = rays_through(cam2world, pixels, focal=query.focal)
    cosine = (directions * cam2world[:, None, :3, 2]).sum(dim=-1, keepdim=True)
    points = origins + directions * (query.depth.flatten(1)[..., None] / cosine)
    color = F.avg_pool2d(query.color, 2).flatten(2).transpose(1, 2)
    alpha = F.avg_pool2d(query.alpha, 2).flatten(1)
    return QueryRays(pixels.expand(batch, -1, -1), points, points, color, alpha)


def of_edited(rays: QueryRays, generator: TriPlaneGenerator, edit: Edit) -> QueryRays:
    """Rays of an edited head, with the places of the face where it was before."""
    return replace(rays, places=generator.same_places(rays.points, edit.after, edit.before))


@torch.no_grad()
def render_with_details(
    generator: TriPlaneGenerator,
    branch: LocalBranch,
    planes: Tensor,
    source: SourceView,
    cam2world: Tensor,
    *,
    source_features: Tensor | None = None,
    alignment: Alignment = "hybrid",
    edit: Edit | None = None,
) -> RenderOutput:
    """Views of a head with the photo's details.

    Args:
        generator: Whose decoder the branch was trained for.
        branch: The local branch.
        planes: [1, 3, C, R, R] of the head, edited or not.
        source: What the photo shows of the head before any edit, of batch size 1.
        cam2world: [V, 4, 4].
        source_features: Of :meth:`LocalBranch.source_features`, where they are known already.
        alignment: Which features to use.
        edit: What was done to the head, where the planes are of an edited one: details move along with the face, and
            about what changed its colour as well, the photo's tone stays and its details go.
    """
    views = cam2world.shape[0]
    query = generator.render(planes, cam2world)
    expanded = source.expanded(views)
    in_3d = in_2d = None
    if alignment != "2d":
        features = branch.source_features(source) if source_features is None else source_features
        in_3d = features.expand(views, -1, -1, -1)
    if alignment != "3d":
        in_2d, _ = branch.query_features(expanded, query)
    rays, shares = rays_of_view(query, cam2world), None
    if edit is not None:
        rays = of_edited(rays, generator, edit.expanded(views))
        shares = edited_shares(rays, expanded)
    film = branch.modulation(rays, expanded, in_3d, in_2d, shares)
    detailed = generator.render(planes, cam2world, film=film)
    # super-resolution reads features for alpha too; the outline is the code's
    return RenderOutput(torch.minimum(detailed.color, query.alpha), query.alpha, query.depth, query.focal)


class DetailedGenerator:
    """A generator whose views have a photo's details: it stands in for the plain one wherever heads are shown.

    Args:
        generator: The plain one.
        branch: The local branch that was trained for it.
        source: What the photo shows of the head before any edit, of batch size 1.
        edit: What was done to the head that is shown, if anything.
    """

    def __init__(
        self, generator: TriPlaneGenerator, branch: LocalBranch, source: SourceView, *, edit: Edit | None = None
    ) -> None:
        self.plain = generator
        self.config = generator.config
        self.source = source
        self._branch = branch
        self._edit = edit
        with torch.no_grad():
            self._features = branch.source_features(source)

    def planes(self, w_plus: Tensor) -> Tensor:
        """As the plain generator's."""
        return self.plain.planes(w_plus)

    def render(self, planes: Tensor, cam2world: Tensor, *, w_plus: Tensor | None = None) -> RenderOutput:
        """Views [V, 4, 4] of the head of planes [1, 3, C, R, R]."""
        del w_plus  # for generators of another family
        return render_with_details(
            self.plain,
            self._branch,
            planes,
            self.source,
            cam2world,
            source_features=self._features,
            edit=self._edit,
        )

    @torch.no_grad()
    def query(self, planes: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Density [1, N] and RGB [1, N, 3] at world points [1, N, 3], with the details that the photo shows there."""
        density, color = self.plain.query(planes, points)
        rays, shares = QueryRays(points[..., :2], points, points, color, torch.ones_like(density)), None
        if self._edit is not None:
            rays = of_edited(rays, self.plain, self._edit)
            shares = EditedShares.of(rays, self.source)
        film = self._branch.modulation(rays, self.source, self._features, None, shares)
        return density, self.plain.query(planes, points, film=film)[1]
