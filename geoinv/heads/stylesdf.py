"""Heads of the StyleSDF family, by their codes alone and with the details that E3DGE's local branch finds in a photo.

Pictures show what stands behind the head too: nothing in them is transparent.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from ..camera import Camera
from ..conventions import Orbit
from ..errors import UsageError
from ..images.tensors import at_side
from ..models.render_output import RenderOutput
from ..models.source_view import SourceView
from ..models.stylesdf.config import MM_PER_UNIT
from ..models.stylesdf.generator import StyleSdfGenerator
from ..models.stylesdf.local_branch import RESIDUAL_SIDE, StyleSdfLocalBranch, residual_of
from ..models.stylesdf.volume_renderer import VolumeView
from .detailed import Alignment
from .head import ViewPair
from .over_plain import OverPlain
from .volume import Volume


@dataclass(frozen=True)
class StyleSdfView(RenderOutput):
    """Views with what G0 saw, which details start from."""

    volume: VolumeView = field(kw_only=True)


class StyleSdfHead:
    """Heads by their codes.

    Args:
        generator: The generator.
        w_plus: [B, num_ws, w_dim] on its device, differences from its mean code.
    """

    def __init__(self, generator: StyleSdfGenerator, w_plus: Tensor) -> None:
        self.generator = generator
        self.w_plus = w_plus

    def __len__(self) -> int:
        return len(self.w_plus)

    def prepare(self) -> None:
        """Views have nothing in common that could be computed before."""

    @property
    def orbit(self) -> Orbit:
        """The orbit of its cameras."""
        return self.generator.config.orbit

    @property
    def volume(self) -> Volume:
        """Its box in space, and the density where its signed distance is 0."""
        level = 0.5 / float(self.generator.renderer.sigmoid_beta)
        return Volume(level, 2.0 * self.generator.config.scale, is_bust=False, mm_per_unit=MM_PER_UNIT)

    @property
    def plain(self) -> StyleSdfHead:
        """Itself."""
        return self

    @torch.no_grad()
    def view(self, camera: Camera) -> StyleSdfView:
        """Views through V cameras."""
        camera = camera.to(self.w_plus.device)
        w_plus = self.w_plus.expand(len(camera), -1, -1)
        seen = self.generator.look(w_plus, camera)
        return _view(self.generator.picture(seen, w_plus), seen)

    def view_pair(self, camera: Camera) -> ViewPair:
        """A pair of one and the same view."""
        view = self.view(camera)
        return ViewPair(view, view)

    @torch.no_grad()
    def query(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Density [B, N] and RGB [B, N, 3] at world points [B, N, 3], seen from the front."""
        return _queried(self.generator, self.w_plus, points.to(self.w_plus.device))

    @torch.no_grad()
    def source_view(self, pictures: Tensor, seen: RenderOutput) -> SourceView:
        """What photos show of their heads, rounded to float16 as files keep it.

        Args:
            pictures: [B, 3, H, H] the aligned photos in [0, 1].
            seen: The heads as their photos see them.
        """
        volume = _volume_of(self, seen)
        residual = 0.5 * residual_of(2.0 * at_side(pictures, RESIDUAL_SIDE) - 1.0, volume.thumb)
        color = (0.5 * volume.thumb + 0.5).clamp(0.0, 1.0)
        residual, depth, color = (part.half().float() for part in (residual, volume.depth, color))
        return SourceView(residual, depth, color, seen.camera)


class StyleSdfDetailedHead(OverPlain[StyleSdfHead]):
    """Heads with their photos' details. Their shape is their codes'.

    Args:
        plain: The heads by their codes alone, edited or not.
        branch: The local branch that belongs to their generator.
        source: What the photos show, against the heads before any edit.
        is_edited: Whether the heads are edited, so that the photos' residual has to follow.
        alignment: Only "hybrid": the branch itself decides whether it aligns in 3D as well.

    Raises:
        UsageError: Another alignment.
    """

    def __init__(
        self,
        plain: StyleSdfHead,
        branch: StyleSdfLocalBranch,
        source: SourceView,
        *,
        is_edited: bool = False,
        alignment: Alignment = "hybrid",
    ) -> None:
        if alignment != "hybrid":
            raise UsageError(f"this model's details cannot be aligned in {alignment} alone")
        super().__init__(plain)
        self.branch = branch
        self.source = source
        self.is_edited = is_edited

    def __len__(self) -> int:
        return len(self.plain)

    def prepare(self) -> None:
        """Compute now what all views have in common, which the first view would else do."""
        with torch.no_grad():
            _ = self._features

    @cached_property
    def _own_view(self) -> VolumeView:
        """The heads, edited or not, in the photos' views."""
        return self.plain.generator.look(self.plain.w_plus, self.source.camera)

    @cached_property
    def _residual(self) -> Tensor:
        return 2.0 * self.source.residual

    @cached_property
    def _features(self) -> Tensor | None:
        """Features of the photos' own pixels."""
        return self.branch.source_features(self._residual, self._own_view, is_edited=self.is_edited)

    @cached_property
    def _features_in_2d(self) -> Tensor:
        """Features by 2D alignment to the photos' own views, for points that are in no view."""
        return self.branch.query_features(self._residual, self._own_view)

    @torch.no_grad()
    def with_details(self, plain: RenderOutput) -> RenderOutput:
        """The views of :attr:`plain` that are given, with details."""
        generator, views = self.plain.generator, len(plain.camera)
        w_plus = self.plain.w_plus.expand(views, -1, -1)
        seen = _volume_of(self.plain, plain)
        source = self.source.camera.expand(views)
        features = None if self._features is None else self._features.expand(views, -1, -1, -1)
        residual = self._residual.expand(views, -1, -1, -1)
        modulate = self.branch.modulation(residual, features, source, seen)
        fused = generator.renderer(generator.codes(w_plus)[0], seen.camera, modulate=modulate)
        return _view(generator.picture(fused, w_plus), replace(seen, thumb=fused.thumb, features=fused.features))

    @torch.no_grad()
    def query(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Density and RGB at world points, as the photos' own views have their details."""
        points = points.to(self.plain.w_plus.device)
        film = self.branch.film_in_source(points, self._features_in_2d, self._features, self._own_view.camera)
        return _queried(self.plain.generator, self.plain.w_plus, points, film)


def _view(picture: Tensor, volume: VolumeView) -> StyleSdfView:
    color = (0.5 * picture + 0.5).clamp(0.0, 1.0)
    alpha = torch.ones_like(color[:, :1])
    return StyleSdfView(color, alpha, volume.depth, volume.camera, MM_PER_UNIT, volume=volume)


def _volume_of(head: StyleSdfHead, view: RenderOutput) -> VolumeView:
    """What G0 saw in a view, computed again where a view does not have it."""
    if isinstance(view, StyleSdfView):
        return view.volume
    return head.generator.look(head.w_plus.expand(len(view.camera), -1, -1), view.camera)


def _queried(
    generator: StyleSdfGenerator, w_plus: Tensor, points: Tensor, film: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    sdf, logits = generator.query(w_plus, points, film=film)[:2]
    return generator.renderer.density(sdf)[..., 0], torch.sigmoid(logits)
