"""A head on the head mesh, by its codes: shape and light may be others than those that w_plus means."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from torch import Tensor

from ..camera import Camera
from ..conventions import Orbit
from ..made_once import made_once
from ..models.anchored_generator import AnchoredView, lit_rays
from ..models.drawn_surface import DrawnSurface
from ..models.local_branch import QueryRays
from ..models.on_mesh import OnMesh
from ..models.render_output import RenderOutput
from ..ops.anchored_rays import AnchorVolumes
from ..shape import load_head_model
from .edit import Edit
from .head import ViewPair
from .inner_mouth import InnerMouth
from .outline import ANYTHING, VISIBLE, PhotoOutline, empty_cells, floating_cells, shoulder_ends
from .volume import Volume, volume_of

if TYPE_CHECKING:
    from ..models.anchored_generator import AnchoredGenerator
    from ..ops.render_rays import RayOutput
    from ..shape import HeadCodes


class AnchoredHead:
    """Heads of an anchored generator; planes and volumes are made once, here. Gradients flow where asked.

    Args:
        generator: The generator.
        w_plus: [B, num_ws, w_dim] on the generator's device.
        codes: Shape of the heads; None for the one that w_plus means.
        light: [B, 9, 3] light on them (:mod:`geoinv.light`); None for the one that w_plus means.
    """

    def __init__(
        self,
        generator: AnchoredGenerator,
        w_plus: Tensor,
        *,
        codes: HeadCodes | None = None,
        light: Tensor | None = None,
    ) -> None:
        self.generator = generator
        self.w_plus = w_plus
        self._heads = generator.heads(w_plus, codes=codes, light=light)
        self._rays: int | None = None
        self._edit_known: OnMesh | None = None
        self._volumes_before: AnchorVolumes | None = None

    def with_rays(self, side: int) -> AnchoredHead:
        """The same head, whose views are of ``side`` x ``side`` rays where nothing else is asked for."""
        other = copy.copy(self)
        other._rays = side
        return other

    def __len__(self) -> int:
        return len(self.w_plus)

    def prepare(self) -> None:
        """Nothing is left to compute that all views have in common."""

    def within(self, outlines: Sequence[PhotoOutline]) -> AnchoredHead:
        """The same heads, empty where photos of them show the background, of one photo of each or of several, beyond
        the ends of their shoulders, and where something floats beside them."""
        rays = self._heads.rays
        densities = self.generator.cell_densities(rays)
        empty = empty_cells(outlines, rays.volumes, densities > ANYTHING) | shoulder_ends(rays.volumes)
        empty = empty | floating_cells(densities > VISIBLE, empty, rays.volumes)
        other = copy.copy(self)
        other._heads = self._heads._replace(rays=rays._replace(empty=empty))
        return other

    @property
    def codes(self) -> HeadCodes:
        """Shape codes."""
        return self._heads.codes

    @property
    def light(self) -> Tensor:
        """[B, 9, 3] light on the heads."""
        return self._heads.light

    @property
    def on_mesh(self) -> OnMesh:
        """Shape and light."""
        return OnMesh(self.codes, self.light)

    @property
    def orbit(self) -> Orbit:
        """The orbit of its cameras."""
        return self.generator.config.orbit

    @property
    def volume(self) -> Volume:
        """Its box in space, and the density of its surface."""
        return volume_of(self.generator.config)

    @property
    def plain(self) -> AnchoredHead:
        """Itself."""
        return self

    film_step = 2
    """Films of views are computed for every second ray along rows and columns: what is finer the photo itself adds."""

    def view(self, camera: Camera, *, resolution: int | None = None) -> AnchoredView:
        """Views through V cameras; see :meth:`geoinv.models.anchored_generator.AnchoredGenerator.render`."""
        camera = camera.to(self.w_plus.device)
        return self._with_mouths(self.generator.render(self._heads, camera, resolution=resolution or self._rays))

    @made_once
    def _mouths(self) -> list[InnerMouth]:
        """What lies between the lips of each head."""
        model = load_head_model()
        return [InnerMouth(model, vertices) for vertices in self.generator.vertices(self.codes).detach()]

    def _with_mouths(self, view: AnchoredView) -> AnchoredView:
        """Views of the heads, with what lies between their lips."""
        side = view.depth.shape[-1]
        mouths = self._mouths * len(view.camera) if len(self._mouths) == 1 else self._mouths
        drawn = [mouth.drawn(camera, side) for mouth, camera in zip(mouths, view.camera.to("cpu"), strict=True)]
        if not any(drawn):
            return view
        surfaces = DrawnSurface.cat([DrawnSurface.nothing(side) if one is None else one for one in drawn])
        return self.generator.with_surface(self._heads, view, surfaces.to(view.alpha.device))

    def with_film(self, view: RenderOutput, film: Tensor) -> AnchoredView:
        """A view of the heads as a film lets it look; see ``AnchoredGenerator.with_film``."""
        assert isinstance(view, AnchoredView)
        return self.generator.with_film(self._heads, view, film)

    def view_pair(self, camera: Camera) -> ViewPair:
        """A pair of one and the same view, as the head has no details."""
        view = self.view(camera)
        return ViewPair(view, view)

    def trace(self, origins: Tensor, directions: Tensor) -> RayOutput:
        """Opacity and colours of rays [B, N, 3]: under the heads' light, then without light."""
        output = self.generator.render_rays(self._heads.rays, origins, directions)
        return lit_rays(output, directions, self.light)

    def march(self, origins: Tensor, directions: Tensor, distances: Tensor, film: Tensor | None = None) -> RayOutput:
        """The same, sampled at given distances [B, N, S]; see ``AnchoredGenerator.march``."""
        output = self.generator.march(self._heads.rays, origins, directions, distances, film)
        return lit_rays(output, directions, self.light)

    def superresolved(self, features: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """Colour and alpha of a patch of rays, which are those of the final picture already."""
        return features[:, :3], alpha

    def surface_colors(self, output: RayOutput) -> Tensor:
        """[B, N, 3] what a local branch knows surfaces by, of rays that were traced: colours without light."""
        return output.features[..., 3:6]

    def query_surface(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Density [B, N] and colours without light [B, N, 3] at world points."""
        return self.query(points, is_lit=False)

    def before(self, edit: Edit) -> AnchoredHead:
        """The heads before an edit."""
        assert edit.on_mesh is not None
        return AnchoredHead(self.generator, edit.before, codes=edit.on_mesh.codes, light=edit.on_mesh.light)

    def on_places(self, rays: QueryRays, edit: Edit | None) -> QueryRays:
        """Rays with the places of the average head, and of the head before an edit, that they hit."""
        volumes = self._heads.rays.volumes
        views = len(rays.points)
        homes = self.generator.places(_expanded(volumes, views), rays.points)
        if edit is None:
            return replace(rays, homes=homes)
        places = self.generator.same_places(
            rays.points, _expanded(volumes, views), _expanded(self._before(edit), views)
        )
        return replace(rays, homes=homes, places=places)

    def _before(self, edit: Edit) -> AnchorVolumes:
        """Volumes of the heads before an edit, made once."""
        assert edit.on_mesh is not None
        if self._edit_known is not edit.on_mesh:
            vertices = self.generator.vertices(edit.on_mesh.codes)
            self._edit_known, self._volumes_before = edit.on_mesh, self.generator.anchor(vertices)
        assert self._volumes_before is not None
        return self._volumes_before

    def query(self, points: Tensor, film: Tensor | None = None, *, is_lit: bool = True) -> tuple[Tensor, Tensor]:
        """Density [B, N] and RGB [B, N, 3] at world points, the albedo unless ``is_lit``."""
        return self.generator.query(self._heads, points.to(self.w_plus.device), film, is_lit=is_lit)


def _expanded(volumes: AnchorVolumes, views: int) -> AnchorVolumes:
    """Volumes of one head for several views of it; a batch of that size stays as it is."""
    whole, face = (volume.expand(views, -1, -1, -1, -1) for volume in (volumes.whole, volumes.face))
    return AnchorVolumes(whole, face, volumes.face_box)
