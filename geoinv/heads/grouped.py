"""A head with the details of several photos of one person: each place shows the photos that saw it best."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ..models.local_branch import EditedWeights, QueryRays
from ..models.render_output import RenderOutput
from .anchored import AnchoredHead
from .detailed import Alignment, DetailedHead, PhotoLook, coloured
from .over_plain import OverPlain
from .plain import PlainHead

_BLENDED = 0.004
"""Difference in nearness by which one photo weighs e times another. Nearness is the cosine between where a photo was
taken from and who looks. Photos that a few degrees part are not mixed: mixed details of two are a ghost of each, and
views at 25 degrees were nobody's. The face of a view so comes from one photo, and changes to the next within a few
degrees of turning."""
_HIDDEN = 0.03
"""Nearness that a photo loses where it shows nothing. What no photo saw is guessed from those whose views are near."""
_CHANGED = 0.02
"""Nearness that it loses where it shows another expression than the head. Of photos from one side others so go before
it; more patched faces up from several photos, and they were less like the person than one whole face."""
_FIRST = 0.003
"""Nearness that the first photo has in advance, as the head shows its expression and its light: of photos from one side
it is the one that is seen. When this was 0.12, others were seen from 30 degrees on alone."""
_LEAST = 0.05
"""Share up to which a photo does not count, if it has no larger one anywhere in a view."""


class GroupedHead(OverPlain[PlainHead | AnchoredHead]):
    """One head with the details of K photos. Views have no gradients.

    Args:
        parts: The head once for each photo, all with the same plain head. As another expression is an edit, each has
            the change from the head in its photo to the one that is shown.
    """

    def __init__(self, parts: Sequence[DetailedHead]) -> None:
        self.parts = tuple(parts)
        super().__init__(_cut(self.parts))

    def with_rays(self, side: int, *, alignment: Alignment) -> GroupedHead:
        """The same head, whose views are of ``side`` x ``side`` rays; the photos' features are shared."""
        return GroupedHead([part.with_rays(side, alignment=alignment) for part in self.parts])

    def prepare(self) -> None:
        """Compute now what all views have in common."""
        for part in self.parts:
            part.prepare()

    @torch.no_grad()
    def with_details(self, plain: RenderOutput) -> RenderOutput:
        """The views of :attr:`plain` that are given, with details; its shape, alpha and depth, stays."""
        rays = [part.rays_of(plain) for part in self.parts]
        shares = self._shares(rays, plain.camera.cam2world[:, None, :3, 3] - rays[0][0].points)[0]
        look = _joined(shares, lambda index: self.parts[index].look_of(plain, *rays[index]))
        return coloured(self.plain, plain, look)

    @torch.no_grad()
    def query(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Density [1, N] and RGB [1, N, 3] at world points, with details; all are looked at from outside the head."""
        density, color = self.plain.query_surface(points)
        points = points.to(color.device)
        rays = [part.rays_at(points, color) for part in self.parts]
        shares = self._shares(rays, points)[0]
        look = _joined(shares, lambda index: self.parts[index].look_at(*rays[index]))
        return density, look.on(self.plain.query(points, look.film)[1]).clamp(0.0, 1.0)

    @torch.no_grad()
    def shares_of(self, plain: RenderOutput) -> tuple[Tensor, Tensor]:
        """For each photo, [K, V, N] each: its share in the rays of given views of :attr:`plain`, row by row, 1
        together, and how surely it shows what they see."""
        rays = [part.rays_of(plain) for part in self.parts]
        return self._shares(rays, plain.camera.cam2world[:, None, :3, 3] - rays[0][0].points)

    def _shares(self, rays: Sequence[tuple[QueryRays, EditedWeights | None]], towards: Tensor) -> tuple[Tensor, Tensor]:
        """Shares and visibilities as of :meth:`shares_of`: a photo's share goes by how near it was taken to the
        direction ``towards`` [V, N, 3] who looks, and by its visibility. What looks otherwise in a photo counts as
        hidden there, and goes a little behind others."""
        looking = functional.normalize(towards, dim=-1)
        scores: list[Tensor] = []
        seen: list[Tensor] = []
        for part, (own, edited) in zip(self.parts, rays, strict=True):
            sure, visibility = (seen_by[..., 0] for seen_by in part.seen_in_photo(own, edited)[1:])
            eye = part.source.camera.cam2world[:, None, :3, 3]
            nearness = (functional.normalize(eye - own.places, dim=-1) * looking).sum(dim=-1)
            preference = 0.0 if scores else _FIRST
            lost = _HIDDEN * (1.0 - sure) + _CHANGED * (sure - visibility)
            scores.append((nearness + preference - lost) / _BLENDED)
            seen.append(visibility)
        return torch.stack(scores).softmax(dim=0), torch.stack(seen)


@torch.no_grad()
def _cut(parts: Sequence[DetailedHead]) -> PlainHead | AnchoredHead:
    """The head without details; on the head mesh empty where any of the photos shows the background."""
    whole = parts[0].whole
    return whole.within([part.outline for part in parts]) if isinstance(whole, AnchoredHead) else whole


def _joined(shares: Tensor, look_of: Callable[[int], PhotoLook]) -> PhotoLook:
    """The photos' looks of rays, each by its share [K, V, N]; a photo that counts for little in all of a view is left
    out, as each takes two networks at full size."""
    kept = shares * (shares.amax(dim=-1, keepdim=True) > _LEAST)  # view by view
    kept = kept / kept.sum(dim=0)
    used = [index for index, share in enumerate(kept) if share.any()]
    return PhotoLook.mixed([look_of(index) for index in used], [kept[index] for index in used])
