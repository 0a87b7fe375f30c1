"""A head on the head mesh, by its codes: shape and light may be others than those that w_plus means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from ..camera import Camera
from ..conventions import Orbit
from ..models.anchored_generator import lit_rays
from ..models.on_mesh import OnMesh
from ..models.render_output import RenderOutput
from .head import ViewPair
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

    def __len__(self) -> int:
        return len(self.w_plus)

    def prepare(self) -> None:
        """Nothing is left to compute that all views have in common."""

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

    def view(self, camera: Camera, *, resolution: int | None = None, film: Tensor | None = None) -> RenderOutput:
        """Views through V cameras; see :meth:`geoinv.models.anchored_generator.AnchoredGenerator.render`."""
        camera = camera.to(self.w_plus.device)
        return self.generator.render(self._heads, camera, resolution=resolution, film=film)

    def view_pair(self, camera: Camera) -> ViewPair:
        """A pair of one and the same view, as the head has no details."""
        view = self.view(camera)
        return ViewPair(view, view)

    def trace(self, origins: Tensor, directions: Tensor) -> RayOutput:
        """Colour under the heads' light and opacity of rays [B, N, 3]."""
        output = self.generator.render_rays(self._heads.rays, origins, directions)
        return lit_rays(output, directions, self.light)

    def query(self, points: Tensor, film: Tensor | None = None, *, is_lit: bool = True) -> tuple[Tensor, Tensor]:
        """Density [B, N] and RGB [B, N, 3] at world points, the albedo unless ``is_lit``."""
        return self.generator.query(self._heads, points.to(self.w_plus.device), film, is_lit=is_lit)
