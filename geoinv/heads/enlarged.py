"""A head in larger pictures than its generator's, with what its photo shows between their pixels."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from ..camera import Camera, pixel_centres
from ..images.tensors import at_side, wholly
from ..models.local_branch import QueryRays
from ..models.render_output import RenderOutput
from ..models.source_view import faded, inner, sampled
from .anchored import AnchoredHead
from .detailed import DetailedHead, SeenInPhoto, coloured
from .head import ViewPair
from .over_plain import OverPlain
from .plain import PlainHead

_HARDLY = 1e-4  # weight of the place in the photo of a ray that the photo does not see, so that there is one at all


class EnlargedHead(OverPlain[PlainHead | AnchoredHead]):
    """One head whose views have ``side`` pixels along a side.

    Views are enlarged, and what the photo shows beyond them is added: the photo minus the head's own enlarged view
    through the photo's camera. Each ray takes it from where the photo sees its place of the face, as surely as the
    photo sees it; all else is the generator's, only larger, and there is no seam as this sureness fades.

    Args:
        head: The head, edited or not.
        photo: [1, 3, side, side] in [0, 1], the aligned photo.
        person: [1, 1, side, side] in [0, 1], where it shows the person.
        inside: [1, 1, R, R] in [0, 1], 0 where the aligned photo is padded beyond the photo's edges.
    """

    def __init__(self, head: DetailedHead, photo: Tensor, person: Tensor, inside: Tensor) -> None:
        super().__init__(head.plain)
        self.head = head
        self._side = photo.shape[-1]
        self._photo, self._person, self._inside = photo, person, inside

    def query(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Density and colour at world points, as those of the head."""
        return self.head.query(points)

    @cached_property
    def _beyond(self) -> Tensor:
        """[1, 3, side, side] what the photo shows beyond the head's view of it."""
        seen = self._larger(self.head.unedited.view(self.head.source.camera))
        own = inner(self._person) * faded(wholly(self._inside, self._side))
        return (self._photo * seen.alpha - seen.color) * own

    def _larger(self, view: RenderOutput) -> RenderOutput:
        color, alpha = (
            F.interpolate(part, (self._side, self._side), mode="bicubic", align_corners=False).clamp(0.0, 1.0)
            for part in (view.color, view.alpha)
        )
        return replace(view, color=torch.minimum(color, alpha), alpha=alpha)

    @torch.no_grad()
    def view_pair(self, camera: Camera) -> ViewPair:
        """Views without and with details; depth stays at the side of the generator's rays."""
        plain = self.plain.view(camera)
        return ViewPair(self._larger(plain), self.with_details(plain))

    @torch.no_grad()
    def with_details(self, plain: RenderOutput) -> RenderOutput:
        """The views of :attr:`plain` that are given, larger and with details."""
        rays, edited = self.head.rays_of(plain)
        seen = self.head.seen_in_photo(rays, edited)
        larger = self._larger(coloured(self.plain, plain, self.head.look_of(plain, rays, edited, seen)))
        positions, weight = self._places_in_photo(rays, seen)
        beyond = self._beyond.expand(len(positions), -1, -1, -1)
        beyond = sampled(beyond, positions).transpose(1, 2).unflatten(2, (self._side, self._side))
        color = (larger.color + weight * beyond).clamp(min=0.0)
        return replace(larger, color=torch.minimum(color, larger.alpha))

    def _places_in_photo(self, rays: QueryRays, seen: SeenInPhoto) -> tuple[Tensor, Tensor]:
        """Where the photo shows what each pixel of a view shows, [V, side * side, 2] normalised, and how surely
        [V, 1, side, side]; the rays are those of the view's whole grid, and seen in the photo so."""
        grid = math.isqrt(rays.points.shape[1])
        positions, _, sure = seen
        # the way from a pixel to its place in the photo is smooth where the place is seen; elsewhere it means nothing
        way, weight = (part.transpose(1, 2).unflatten(2, (grid, grid)) for part in (positions - rays.pixels, sure))
        trusted = weight + _HARDLY
        way, trusted, weight = (at_side(part, self._side) for part in (way * trusted, trusted, weight))
        return pixel_centres(self._side, way.device) + (way / trusted).flatten(2).transpose(1, 2), weight
