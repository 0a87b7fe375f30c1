"""E1 and hybrid alignment: what a photo shows beyond a code, as a modulation of the colours of rays (E3DGE, Lan et al.,
CVPR 2023).

Of each ray of a query view, the point of the surface that it hits is looked up in the photo's view (3D alignment, with
a depth test for what the photo hides), and its pixel in the residual that was brought to the query view (2D
alignment). Both together modulate the decoder's hidden units for colours alone: density, and so the shape, is that of
the code. A ray hits one surface, so it has one modulation, where the paper computes one for each of its samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..camera import pixel_centres
from ..camera.visibility import ramp
from .alignment import FeatureFusion, ResidualAligner
from .detail_config import DetailConfig
from .local_encoder import LocalEncoder
from .precision import fast_precision
from .render_output import RenderOutput
from .source_view import SourceView, near_photo, sampled, solid_depth

_OCTAVES = 4
_EDGE = 0.02  # of the photo's side, beyond which details end
_DETAILS_GO = (0.15, 0.35)
"""Changes of a colour in [0, 1] by an edit at the same place of the face: up to the first the photo's details about it
stay, from the second on they go. A smile's shading stays below, teeth and hair of another colour lie above; with 0.04
and 0.1 the whole mouth of a smile was a blur."""
_TONE_GOES = (0.05, 0.15)
"""By how much all colours of a place get brighter: from the second on nothing of the photo stays there. With the tone
of the lips before them, teeth were lilac; what gets darker, as folds do, keeps the tone of its skin."""


@dataclass(frozen=True)
class QueryRays:
    """Rays of a view, and what they see of the head without details.

    Args:
        pixels: [B, N, 2] normalised positions in the query view.
        points: [B, N, 3] where they hit the surface, world.
        places: [B, N, 3] where the head in the photo has these places of the face; the points, unless it is edited.
        color: [B, N, 3] in [0, 1], premultiplied; on the head mesh without light.
        alpha: [B, N].
        homes: [B, N, 3] where the average head has these places; None where the generator does not know, and the points
            themselves are all that tells places.
        drawn: [B, N, 1] in [0, 1], how far what they see is drawn from a mesh, of which the branch knows nothing; None
            where nothing is.
    """

    pixels: Tensor
    points: Tensor
    places: Tensor
    color: Tensor
    alpha: Tensor
    homes: Tensor | None = None
    drawn: Tensor | None = None

    def picked(self, pick: Callable[[Tensor], Tensor]) -> QueryRays:
        """Some of the rays: ``pick`` takes them of each part [B, N, ...]."""
        parts = (self.pixels, self.points, self.places, self.color, self.alpha)
        pixels, points, places, color, alpha = (pick(part) for part in parts)
        homes, drawn = (None if part is None else pick(part) for part in (self.homes, self.drawn))
        return QueryRays(pixels, points, places, color, alpha, homes, drawn)

    @classmethod
    def from_view(cls, view: RenderOutput) -> QueryRays:
        """The rays of a view's own grid, row by row, of a head that is not edited."""
        batch, _, side, _ = view.depth.shape
        pixels, points = pixel_centres(side, view.depth.device), view.surface[0]
        color = view.on_grid(view.surface_color).flatten(2).transpose(1, 2)
        alpha = view.on_grid(view.alpha).flatten(1)
        drawn = None if view.drawn is None else view.on_grid(view.drawn).flatten(2).transpose(1, 2)
        return cls(pixels.expand(batch, -1, -1), points, points, color, alpha, drawn=drawn)


@dataclass(frozen=True)
class EditedWeights:
    """Weights of an edit's change of the colours of rays, [B, N, 1] in [0, 1] each.

    Args:
        nearby: The change in a ray's neighbourhood: the photo's details go there, and its tone stays.
        itself: The change of the ray itself to brighter colours: nothing of the photo stays.
    """

    nearby: Tensor
    itself: Tensor

    def picked(self, pick: Callable[[Tensor], Tensor]) -> EditedWeights:
        """Those of some of the rays: ``pick`` takes them of each part [B, N, 1]."""
        return EditedWeights(pick(self.nearby), pick(self.itself))

    @classmethod
    def ray_by_ray(cls, rays: QueryRays, source: SourceView) -> EditedWeights:
        """Weights of scattered points (mesh vertices), which have no neighbourhood to pool over."""
        change = _in_photo(rays, source)[2]
        most, least = change.abs().amax(dim=-1, keepdim=True), change.amin(dim=-1, keepdim=True)
        return cls(ramp(most, *_DETAILS_GO), ramp(least, *_TONE_GOES))

    @classmethod
    def of_view(cls, rays: QueryRays, source: SourceView) -> EditedWeights:
        """Weights of a view's whole grid of rays [B, S * S], pooled over the neighbourhood of each."""
        weights = cls.ray_by_ray(rays, source)
        batch, count, _ = weights.nearby.shape
        side = math.isqrt(count)
        reach = 2 * (side // 32) + 1
        nearby = F.max_pool2d(weights.nearby.reshape(batch, 1, side, side), reach, stride=1, padding=reach // 2)
        nearby = F.avg_pool2d(nearby, reach, stride=1, padding=reach // 2)
        return replace(weights, nearby=nearby.reshape(batch, count, 1))


class LocalBranch(nn.Module):
    """E1, ADA, SFT and the FiLM head: zero at first, so that an untrained branch changes nothing."""

    def __init__(self, config: DetailConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = LocalEncoder(
            config.channels, config.widths, config.enlargement, radius=config.radius, finer=config.finer
        )
        self.aligner = ResidualAligner(config.aligner_widths, config.enlargement)
        self.fusion = FeatureFusion(config.channels, config.hidden)
        inputs = config.channels + 3 + 1 + 3 * (1 + 2 * _OCTAVES)
        self.film = nn.Sequential(
            nn.Linear(inputs, config.hidden), nn.SiLU(), nn.Linear(config.hidden, 2 * config.decoder_hidden)
        )
        for parameter in self.film[-1].parameters():
            nn.init.zeros_(parameter)

    def source_features(self, source: SourceView) -> Tensor:
        """[B, C, S, S] features of the photo's own pixels."""
        with fast_precision(source.residual.device):
            features: Tensor = self.encoder(source.residual, source.depth)
        return features.float()

    def realigned(self, source: SourceView, edited: RenderOutput) -> SourceView:
        """The source view that the photo of an edited head would have: the photo's residual brought to the edited head
        as the photo's camera sees it, with that head's surface and colours (E3DGE's editing).

        Args:
            source: Source views of the photos, before the edit.
            edited: The edited heads without details, in the photos' views.
        """
        with fast_precision(source.residual.device):
            residual = self.aligner(source.residual, edited.color).float() * edited.alpha
        return SourceView(residual, solid_depth(edited), edited.on_grid(edited.color), source.camera)

    def query_features(self, source: SourceView, query: RenderOutput) -> tuple[Tensor, Tensor]:
        """[B, C, S, S] features of the residual as brought to the query view, and that residual [B, 3, H, H].

        Both are 0 in views from behind, where they painted the face on the back of the head.
        """
        with fast_precision(source.residual.device):
            aligned = self.aligner(source.residual, query.color).float() * query.alpha
            features: Tensor = self.encoder(aligned, solid_depth(query))
        near = near_photo(source.camera, query.camera)[..., None, None]
        return features.float() * near, aligned * near

    def modulation(
        self,
        rays: QueryRays,
        source: SourceView,
        source_features: Tensor | None,
        query_features: Tensor | None,
        edited: EditedWeights | None = None,
    ) -> Tensor:
        """FiLM [B, N, 2 * decoder_hidden] of rays.

        Args:
            rays: Rays of the query view.
            source: The photo's source view.
            source_features: Result of :meth:`source_features`; None to do without.
            query_features: Result of :meth:`query_features`; None to do without.
            edited: Weights of an edit's change of the rays' colours; None where the head is not edited.
        """
        batch, count = rays.alpha.shape
        none = rays.points.new_zeros(batch, count, self.config.channels)
        aligned_3d, aligned_2d = none, none
        positions, visibility, change = _in_photo(rays, source)
        within = within_photo(positions)
        if source_features is None:
            visibility, change = none[..., :1], none[..., :3]
        else:
            aligned_3d = _where_edited(source_features, positions, edited) * visibility
        if query_features is not None:
            aligned_2d = _where_edited(query_features, rays.pixels, edited)
        fused = self.fusion(aligned_3d, aligned_2d, visibility, change)
        places = rays.points if rays.homes is None else rays.homes
        inputs = torch.cat([fused, rays.color, rays.alpha[..., None], _position_code(places)], dim=-1)
        shown = rays.alpha[..., None] if edited is None else rays.alpha[..., None] * (1.0 - edited.itself)
        film: Tensor = self.film(inputs) * (shown * within)
        return film


def _in_photo(rays: QueryRays, source: SourceView) -> tuple[Tensor, Tensor, Tensor]:
    """Positions of rays in the photo's view, [B, N, 2], how surely it shows them, [B, N, 1], and by how much the code's
    own colour is another than there, [B, N, 3].

    An edit shows as another colour at the same place of the surface; there the photo's details fit no more.
    """
    positions, visibility, color = source.look_up(rays.places)
    return positions, visibility, (rays.color - color) * visibility


def within_photo(positions: Tensor) -> Tensor:
    """[B, N, 1] weight of what a branch has to say of places that lie at positions [B, N, 2] of the photo's picture.

    Heads in training end where their photos do. Above a photo's upper edge the branch went on with foreheads, on hair.
    """
    beyond = (positions - positions.clamp(0.0, 1.0)).norm(dim=-1, keepdim=True)
    return 1.0 - ramp(beyond, 0.0, _EDGE)


def _where_edited(maps: Tensor, positions: Tensor, edited: EditedWeights | None) -> Tensor:
    """Features [B, N, C] at positions; where the head was edited, the mean about there: its tone, no details."""
    fine = sampled(maps, positions)
    if edited is None:
        return fine
    coarse = _mean_about(maps)
    return fine + edited.nearby * (sampled(coarse, positions) - fine)


def _mean_about(maps: Tensor) -> Tensor:
    """[B, C, S, S] -> [B, C, R, R] means over squares of an eighth of the side, at 64 x 64 places at most: they change
    slowly, and at all of 256 x 256 pixels they took a third of a training step."""
    few = F.avg_pool2d(maps, max(maps.shape[-1] // 64, 1))
    size = 2 * (few.shape[-1] // 16) + 1
    return F.avg_pool2d(few, size, stride=1, padding=size // 2, count_include_pad=False)


def _position_code(points: Tensor) -> Tensor:
    """World points [B, N, 3] and sines and cosines of them in octaves, [B, N, 3 + 6 * octaves] (NeRF)."""
    scales = 2.0 ** torch.arange(_OCTAVES, device=points.device) * math.pi
    angles = (points[..., None] * scales).flatten(-2)
    return torch.cat([points, angles.sin(), angles.cos()], dim=-1)
