"""A head that its code alone describes."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from torch import Tensor

from ..camera import Camera
from ..conventions import Orbit
from ..models.local_branch import QueryRays
from ..models.render_output import RenderOutput
from .edit import Edit
from .head import ViewPair
from .volume import Volume, volume_of

if TYPE_CHECKING:
    from ..models.generator import TriPlaneGenerator
    from ..ops.render_rays import RayOutput


class PlainHead:
    """Heads of a tri-plane generator; planes are made once, here. Gradients flow to codes and generator where asked.

    Args:
        generator: The generator, tuned to a photo or not.
        w_plus: [B, num_ws, w_dim] on the generator's device.
    """

    def __init__(self, generator: TriPlaneGenerator, w_plus: Tensor) -> None:
        self.generator = generator
        self.w_plus = w_plus
        self._planes = generator.planes(w_plus)
        self._rays: int | None = None

    def with_rays(self, side: int) -> PlainHead:
        """The same head, whose views are of ``side`` x ``side`` rays where nothing else is asked for."""
        other = copy.copy(self)
        other._rays = side
        return other

    @property
    def planes(self) -> Tensor:
        """[B, 3, C, R, R] its planes."""
        return self._planes

    def with_offsets(self, offsets: Tensor) -> PlainHead:
        """The same head with something added to its planes [B, 3, C, R, R]."""
        other = copy.copy(self)
        other._planes = self._planes + offsets
        return other

    def __len__(self) -> int:
        return len(self.w_plus)

    def prepare(self) -> None:
        """Nothing is left to compute that all views have in common."""

    @property
    def orbit(self) -> Orbit:
        """The orbit of its cameras."""
        return self.generator.config.orbit

    @property
    def volume(self) -> Volume:
        """Its box in space, and the density of its surface."""
        return volume_of(self.generator.config)

    @property
    def plain(self) -> PlainHead:
        """Itself."""
        return self

    def view(
        self,
        camera: Camera,
        *,
        resolution: int | None = None,
        superresolution: bool = True,
        film: Tensor | None = None,
    ) -> RenderOutput:
        """Views through V cameras; see :meth:`geoinv.models.generator.TriPlaneGenerator.render`."""
        return self.generator.render(
            self._planes,
            camera.to(self._planes.device),
            w_plus=self.w_plus,
            resolution=resolution or self._rays,
            superresolution=superresolution,
            film=film,
        )

    film_step = 1
    """Films of views are computed for every ray."""

    def with_film(self, view: RenderOutput, film: Tensor) -> RenderOutput:
        """A view of the heads, rendered again as a film [V, side * side, 2 * decoder_hidden] lets it look."""
        return self.view(view.camera, resolution=view.depth.shape[-1], film=film)

    def view_pair(self, camera: Camera) -> ViewPair:
        """A pair of one and the same view, as the head has no details."""
        view = self.view(camera)
        return ViewPair(view, view)

    def query(self, points: Tensor, film: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Density [B, N] and RGB [B, N, 3] at world points; see ``TriPlaneGenerator.query``."""
        return self.generator.query(self._planes, points.to(self._planes.device), film)

    def trace(self, origins: Tensor, directions: Tensor) -> RayOutput:
        """Colour and opacity of rays [B, N, 3]; see ``TriPlaneGenerator.render_rays``."""
        return self.generator.render_rays(self._planes, origins, directions)

    def march(self, origins: Tensor, directions: Tensor, distances: Tensor, film: Tensor | None = None) -> RayOutput:
        """Colour and opacity of rays, sampled at given distances [B, N, S]; see ``TriPlaneGenerator.march``."""
        return self.generator.march(self._planes, origins, directions, distances, film)

    def surface_colors(self, output: RayOutput) -> Tensor:
        """[B, N, 3] what a local branch knows surfaces by, of rays that were traced: their colours."""
        return output.features[..., :3]

    def query_surface(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Density [B, N] and what a local branch knows surfaces by [B, N, 3] at world points."""
        return self.query(points)

    def before(self, edit: Edit) -> PlainHead:
        """The heads before an edit."""
        return PlainHead(self.generator, edit.before)

    def on_places(self, rays: QueryRays, edit: Edit | None) -> QueryRays:
        """Rays with the places where the head before an edit had what they hit; the same rays without an edit."""
        if edit is None:
            return rays
        edit = edit.expand(len(rays.points))
        return replace(rays, places=self.generator.same_places(rays.points, edit.after, edit.before))

    def superresolved(self, features: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """Features [B, F, P, P] and alpha [B, 1, P, P] of a patch of the ray grid -> its colour and alpha in the final
        picture."""
        return self.generator.superresolved(features, alpha, self.w_plus, grid=self.generator.config.neural_resolution)
