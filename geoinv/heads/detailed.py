"""A head with the details that its photo shows beyond its code: the shape is the plain head's, the colours are not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from ..images.tensors import at_side
from ..models.local_branch import EditedWeights, LocalBranch, QueryRays, within_photo
from ..models.render_output import RenderOutput, among, every, seen_rays
from ..models.source_view import SourceView, inner, near_photo, sampled
from .anchored import AnchoredHead
from .around import AroundView, PhotoAround, sampled_around, well_within
from .edit import Edit
from .outline import PhotoOutline
from .over_plain import OverPlain
from .plain import PlainHead
from .tone import PhotoTone, tone_of_teeth

Alignment = Literal["hybrid", "3d", "2d"]
"""Way of bringing features to the query view: both ways together, or one alone for comparison."""

_IN_MOUTH = 0.012  # world units (4 mm) between depths of one place within a mouth

SeenInPhoto = tuple[Tensor, Tensor, Tensor]
"""What :meth:`DetailedHead.seen_in_photo` says."""


@dataclass(frozen=True)
class AlignedFeatures:
    """A photo's features as brought to a query view.

    Args:
        in_3d: [V, C, S, S] of the photo's own pixels, to be looked up by the surface; None to do without.
        in_2d: [V, C, S, S] of the query's pixels; None to do without.
        residual: [V, 3, H, H] the photo's residual as brought to the query view, from which ``in_2d`` was made.
    """

    in_3d: Tensor | None
    in_2d: Tensor | None
    residual: Tensor | None


@dataclass(frozen=True)
class PhotoLook:
    """What photos make of the colours of rays or points.

    Args:
        film: [V, M, 2 * decoder_hidden] modulation in the decoder, of all N rays, or of every so many along rows and
            columns of their grid.
        tone: [V, N, 3] factors after it, see :class:`PhotoTone`.
        carried: [V, N, 3] what is added at last.
    """

    film: Tensor
    tone: Tensor
    carried: Tensor

    def on(self, color: Tensor) -> Tensor:
        """Colours that ``film`` has modulated, in the order of ``tone``, with the rest of the look."""
        return color * self.tone + self.carried

    @classmethod
    def mixed(cls, looks: Sequence[PhotoLook], shares: Sequence[Tensor]) -> PhotoLook:
        """Several looks of the same rays, each by its share [V, N]."""
        parts = zip(*((look.film, look.tone, look.carried) for look in looks), strict=True)
        weights = torch.stack(list(shares))[..., None]  # [K, V, N, 1]
        of_film = torch.stack([every(share, looks[0].film.shape[1]) for share in weights])
        mixed = zip(parts, (of_film, weights, weights), strict=True)
        return cls(*((torch.stack(part) * each).sum(dim=0) for part, each in mixed))


class DetailedHead(OverPlain[PlainHead | AnchoredHead]):
    """Heads with their photos' details. Views have no gradients: training, which needs them, looks at patches.

    Args:
        plain: The heads by their codes alone, edited or not.
        branch: The local branch that was trained for their generator.
        source: Source views of the photos before any edit, as many as there are heads.
        edit: Change of the heads, where they are edited. Where their generator knows the places of faces, details move
            along with them, and about what changed its colour as well, the photo's tone stays and its details go; else
            the local branch brings them to the edited heads.
        alignment: Kind of features to use.
        seen: The heads before any edit, without details, as the photos see them, where that has been rendered already.
        is_cut: Whether heads on the head mesh are empty where their photos show the background.
        around: What the photos show around their crops, for heads on the head mesh; None where no more is known.
    """

    def __init__(
        self,
        plain: PlainHead | AnchoredHead,
        branch: LocalBranch,
        source: SourceView,
        *,
        edit: Edit | None = None,
        alignment: Alignment = "hybrid",
        seen: RenderOutput | None = None,
        is_cut: bool = False,
        around: PhotoAround | None = None,
    ) -> None:
        super().__init__(plain)
        self.branch = branch
        self.source = source
        self.edit = edit
        self.alignment = alignment
        self._seen = seen
        self._is_cut = is_cut
        self._around = around

    @cached_property
    def plain(self) -> PlainHead | AnchoredHead:
        """The heads without details, edited or not; cut where they are to be."""
        if not self._is_cut or not isinstance(self.whole, AnchoredHead):
            return self.whole
        with torch.no_grad():
            return self.whole.within([self.outline])

    @property
    def whole(self) -> PlainHead | AnchoredHead:
        """The heads without details, edited or not, and not cut."""
        return self._plain

    @cached_property
    def outline(self) -> PhotoOutline:
        """What the photos show to be empty."""
        if self.edit is not None:
            return self.unedited.outline
        if self._beyond_crop is not None:
            return self._beyond_crop.outline
        return PhotoOutline.of_view(self._plain_in_photo, self.source)

    @cached_property
    def shown_source(self) -> SourceView:
        """The photos' view of the heads that are shown.

        That of the photos, unless the heads are edited and their generator does not know which places of the face moved
        where: then the residual is aligned to the edited heads.
        """
        if self.edit is None or self._moves_places:
            return self.source
        with torch.no_grad():
            edited = self.whole.view(self.source.camera)
        return self.branch.realigned(self.source, edited)

    @property
    def _moves_places(self) -> bool:
        return self.whole.generator.config.knows_places

    @cached_property
    def source_features(self) -> Tensor:
        """[B, C, S, S] features of the photos' own pixels, computed once."""
        return self.branch.source_features(self.shown_source)

    def with_rays(self, side: int, *, alignment: Alignment) -> DetailedHead:
        """The same head, whose views are of ``side`` x ``side`` rays; the photo's features are shared."""
        plain, around = self.plain.with_rays(side), self._around
        other = DetailedHead(plain, self.branch, self.source, edit=self.edit, alignment=alignment, around=around)
        if around is not None:
            other._beyond_crop = self._beyond_crop
        if alignment != "2d":
            other.source_features = self.source_features
        return other

    def share_features(self, other: DetailedHead) -> None:
        """Take over what the photo says of another head of it, edited or not, instead of computing it again."""
        self.source_features = other.source_features
        if isinstance(self.whole, AnchoredHead):
            self.outline, self._tone = other.outline, other._tone
            self._left, self._beyond_crop = other._left, other._beyond_crop

    @cached_property
    def unedited(self) -> DetailedHead:
        """The head as its photo shows it; itself where it is not edited."""
        if self.edit is None:
            return self
        whole, cut = self.whole.before(self.edit), self._is_cut
        before = DetailedHead(
            whole,
            self.branch,
            self.source,
            alignment=self.alignment,
            seen=self._seen,
            is_cut=cut,
            around=self._around,
        )
        if self._moves_places:  # else the features are those of the edited head
            before.source_features = self.source_features
        return before

    def prepare(self) -> None:
        """Compute now what all views have in common, which the first view would else do."""
        if self.alignment != "2d":
            with torch.no_grad():
                _ = self.source_features

    @torch.no_grad()
    def with_details(self, plain: RenderOutput) -> RenderOutput:
        """The views of :attr:`plain` that are given, with details; its shape, alpha and depth, stays."""
        return coloured(self.plain, plain, self.look_of(plain, *self.rays_of(plain)))

    def look_of(
        self, plain: RenderOutput, rays: QueryRays, edited: EditedWeights | None, seen: SeenInPhoto | None = None
    ) -> PhotoLook:
        """What the photo makes of the rays of given views of :attr:`plain`, see :meth:`rays_of`; ``seen`` is what
        :meth:`seen_in_photo` says of them, where that is known already."""
        film, near = self._film_of(plain, rays, edited)
        return self._look(film, near, rays, edited, seen)

    def _film_of(self, plain: RenderOutput, rays: QueryRays, edited: EditedWeights | None) -> tuple[Tensor, Tensor]:
        """What the branch says of the same rays, or of every so many of them, [V, M, 2 * decoder_hidden], and how near
        their views are to the photo's, [V, 1, 1]."""
        features = self.features(plain)
        shown = self.shown_source.expand(len(plain.camera))
        few = rays.alpha.shape[1] // self.plain.film_step**2
        numbers = seen_rays(every(rays.alpha, few))

        def picked(part: Tensor) -> Tensor:
            return every(part, few)[:, numbers]

        rays = rays.picked(picked)
        edited = None if edited is None else edited.picked(picked)
        film = self.branch.modulation(rays, shown, features.in_3d, features.in_2d, edited)
        if rays.drawn is not None:
            film = film * (1.0 - rays.drawn)
        return among(film, numbers, few), near_photo(shown.camera, plain.camera)[:, None]

    @torch.no_grad()
    def query(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Density [B, N] and RGB [B, N, 3] at world points, with the details that the photo shows there."""
        density, color = self.plain.query_surface(points)
        look = self.look_at(*self.rays_at(points.to(color.device), color))
        return density, look.on(self.plain.query(points, look.film)[1]).clamp(0.0, 1.0)

    def look_at(self, rays: QueryRays, edited: EditedWeights | None) -> PhotoLook:
        """What the photo makes of the colours of points, see :meth:`rays_at`."""
        film = self.branch.modulation(rays, self.shown_source, self.source_features, None, edited)
        return self._look(film, 0.0, rays, edited)

    def _look(
        self,
        film: Tensor,
        near: Tensor | float,
        rays: QueryRays,
        edited: EditedWeights | None,
        seen: SeenInPhoto | None = None,
    ) -> PhotoLook:
        """The look of rays of which the branch says ``film``, and with what it leaves of the photo."""
        if not isinstance(self.plain, AnchoredHead):  # without a mesh, places are not known well enough
            return PhotoLook(film, torch.ones_like(rays.color), torch.zeros_like(rays.color))
        positions, visible, sure = self.seen_in_photo(rays, edited) if seen is None else seen
        look = self._guessed(film, near, rays, positions, visible)
        left = self._left.expand(len(positions), -1, -1, -1)
        carried = sampled(left, positions) if self._beyond_crop is None else sampled_around(left, positions)
        return replace(look, carried=self._sure_in_mouth(rays, positions, sure, edited) * carried)

    def _sure_in_mouth(self, rays: QueryRays, positions: Tensor, sure: Tensor, edited: EditedWeights | None) -> Tensor:
        """How surely photos show rays as they look now, [V, N, 1], given how surely they would on skin.

        What rays see of the inside of a mouth a photo shows if it has the same there: closed lips are near to an open
        mouth's teeth, but are none. Between teeth and throat nothing is smooth, as skin is, so depth alone decides.
        """
        if rays.drawn is None:
            return sure
        seen = self.unedited._plain_in_photo
        if seen.drawn is None:
            return sure * (1.0 - rays.drawn)
        views = len(positions)
        drawn, depth = (sampled(part.expand(views, -1, -1, -1), positions) for part in (seen.drawn, seen.depth))
        away = depth - self.source.camera.expand(views).project(rays.places)[1][..., None]
        in_mouth = drawn * (away.abs() < _IN_MOUTH)
        if edited is not None:
            in_mouth = in_mouth * (1.0 - edited.nearby)
        return torch.lerp(sure, in_mouth, rays.drawn)

    def _guessed(
        self, film: Tensor, near: Tensor | float, rays: QueryRays, positions: Tensor, visible: Tensor
    ) -> PhotoLook:
        """The look of rays that the photo shows at ``positions`` [V, N, 2] as surely as ``visible`` [V, N, 1]: what it
        does not show takes the tone of what it shows of the same material, in place of what the branch says of it.

        About views that are near the photo's, as ``near`` [V, 1, 1] says, the branch knows better.
        """
        known = torch.maximum(visible, within_photo(positions) * near)
        if self._beyond_crop is not None:  # there the look goes on, but what the branch says of it ends
            known = known * well_within(positions)
        albedo = (rays.color / rays.alpha[..., None].clamp(min=1e-3)).clamp(0.0, 1.0)
        assert rays.homes is not None  # the head mesh knows them
        guessed = seen_rays((1.0 - known[..., 0]) * rays.alpha)
        factors = self._tone.factors(albedo[:, guessed], rays.homes[:, guessed, 1])
        tone = 1.0 + among((1.0 - known[:, guessed]) * (factors - 1.0), guessed, known.shape[1])
        if rays.drawn is not None:
            tone = torch.lerp(tone, self._tone_of_teeth.expand_as(tone), rays.drawn)
        return PhotoLook(film * every(known, film.shape[1]), tone, torch.zeros_like(rays.color))

    @cached_property
    def _beyond_crop(self) -> AroundView | None:
        """The heads as all that is known of their photos sees them, before any edit."""
        if self.edit is not None:
            return self.unedited._beyond_crop
        if self._around is None or not isinstance(self.whole, AnchoredHead):
            return None
        with torch.no_grad():
            return AroundView(self.whole, self.source, self._around)

    @cached_property
    def _left(self) -> Tensor:
        """[B, 3, H, H] what the branch leaves of the photos' residual, before any edit; of all that they show around
        their crops where that is known."""
        if self.edit is not None:
            return self.unedited._left
        source, plain = self.source, self._plain_in_photo
        with torch.no_grad():
            rays, edited = self.rays_of(plain)
            film, near = self._film_of(plain, rays, edited)
            positions, visible, _ = self.seen_in_photo(rays, edited)
            shown = coloured(self.plain, plain, self._guessed(film, near, rays, positions, visible))
            residual = at_side(source.residual, plain.color.shape[-1])
            person = (residual != 0.0).any(dim=1, keepdim=True).float()
            left = (residual - (shown.color - plain.color)) * inner(person)
            return left if self._beyond_crop is None else self._beyond_crop.left(left, self._tone)

    @cached_property
    def _tone(self) -> PhotoTone:
        """The photos' tones, by the heads before any edit."""
        if self.edit is not None:
            return self.unedited._tone
        view = self._plain_in_photo
        with torch.no_grad():
            homes = self.rays_of(view)[0].homes
        assert homes is not None
        return PhotoTone.of_view(view, self.source, homes[..., 1])

    @cached_property
    def _tone_of_teeth(self) -> Tensor:
        """[B, 1, 3] the photos' tones of teeth, by the heads before any edit."""
        if self.edit is not None:
            return self.unedited._tone_of_teeth
        return tone_of_teeth(self._plain_in_photo, self.source)

    @cached_property
    def _plain_in_photo(self) -> RenderOutput:
        """The heads without details as their photos see them, before any edit."""
        if self._seen is not None:
            return self._seen
        with torch.no_grad():
            return self.whole.view(self.source.camera)

    def rays_at(self, points: Tensor, color: Tensor) -> tuple[QueryRays, EditedWeights | None]:
        """World points [B, N, 3] of colour [B, N, 3] as rays, and how far an edit changed their colours."""
        edit = self._edit_of_places
        rays = QueryRays(points[..., :2], points, points, color, torch.ones_like(color[..., 0]))
        rays = self.plain.on_places(rays, edit)
        return rays, None if edit is None else EditedWeights.ray_by_ray(rays, self.source)

    def features(self, plain: RenderOutput) -> AlignedFeatures:
        """The photo's features for given views of :attr:`plain`."""
        views = len(plain.camera)
        in_3d = None if self.alignment == "2d" else self.source_features.expand(views, -1, -1, -1)
        source = self.source.expand(views)
        if self.alignment == "3d" or not near_photo(source.camera, plain.camera).any():  # their weight would be 0
            return AlignedFeatures(in_3d, None, None)
        return AlignedFeatures(in_3d, *self.branch.query_features(source, plain))

    def rays_of(self, plain: RenderOutput) -> tuple[QueryRays, EditedWeights | None]:
        """The rays of given views of :attr:`plain`, row by row, and how far an edit changed their colours."""
        edit = self._edit_of_places
        rays = self.plain.on_places(QueryRays.from_view(plain), edit)
        if edit is None:
            return rays, None
        return rays, EditedWeights.of_view(rays, self.source.expand(len(plain.camera)))

    def seen_in_photo(self, rays: QueryRays, edited: EditedWeights | None) -> SeenInPhoto:
        """Where the photo's crop shows the places of rays of V views, [V, N, 2] normalised, how surely [V, N, 1], and
        how surely as they look now [V, N, 1]: an edit that changed their colours takes from it. Positions beyond 0
        and 1 are beside the crop."""
        if self._beyond_crop is None:
            positions, sure = self.source.expand(len(rays.places)).shown_at(rays.places)
        else:
            positions, sure = self._beyond_crop.shown_at(rays.places)
        return positions, sure, sure if edited is None else sure * (1.0 - edited.nearby)

    @property
    def _edit_of_places(self) -> Edit | None:
        """The edit, where the generator knows which places it moved where."""
        return self.edit if self._moves_places else None


def coloured(head: PlainHead | AnchoredHead, plain: RenderOutput, look: PhotoLook) -> RenderOutput:
    """Views ``plain`` of a head, with the colours that photos give their rays."""
    detailed = head.with_film(plain, look.film)
    side = math.isqrt(look.tone.shape[1])
    tone, carried = (
        at_side(part.transpose(1, 2).unflatten(2, (side, side)), plain.color.shape[-1])
        for part in (look.tone, look.carried)
    )
    color = replace(look, tone=tone, carried=carried).on(detailed.color).clamp(min=0.0)
    # super-resolution reads features for alpha too; the outline is the code's
    return replace(plain, color=torch.minimum(color, plain.alpha))
