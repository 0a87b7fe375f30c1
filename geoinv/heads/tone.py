"""Tones of photos: by which factors their colours differ from those of heads, for places that they do not show."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..camera.visibility import ramp
from ..images.tensors import at_side
from ..models.render_output import RenderOutput
from ..models.source_view import SourceView

_CELLS = 16  # along each of red, green and blue of the table
_SAMPLES = 1024  # places of a photo that it is made of
_LIKE = 0.06
"""Difference of colours without light, in [0, 1], up to which places count as of one material."""
_HEAD, _BODY = -0.25, -0.37
"""Heights on the average head: from the first up places are of the head, from the second down of the body. The grey
hair of an old woman in a blue pullover was blue behind, as its colour without light was that of the pullover."""
_ELSEWHERE = 0.01
"""Weight of what is seen of the body for the head, and the other way round, so that photos without it say something."""
_SURELY, _TOOTH, _LEAST_TEETH = 0.9, 0.4, 30
"""Share of a ray that is of the inside of a mouth; colour without light from which that is a tooth; rays of teeth."""
_TEETH = (0.5, 1.2)  # limits of the factor between teeth
_LEAST_GREEN = 0.88  # of the mean of red and blue: teeth are white or yellow, lips and gums are pink
_DARK = 0.02  # added to both colours: the ratio of two blacks says nothing
_MOST = 3.0  # factor; a larger one is background or something that the head has not


class PhotoTone:
    """Factors by the colour without light, and by whether it is of the head or of the body.

    Hair, skin and cloth differ in that colour, so what a photo shows of a material says how the rest of it looks. The
    factor of a colour is the geometric mean over the photo's places, each weighted by how like its colour is.

    Args:
        albedo: For each of B heads, [N, 3] in [0, 1], colours without light of places that its photo shows.
        shown: [N, 3] each, the heads' colours there, under their light.
        photos: [N, 3] each, the photos' colours there. Where there is no place at all, factors are 1.
        heights: [N] each, y of these places on the average head.
    """

    def __init__(self, albedo: list[Tensor], shown: list[Tensor], photos: list[Tensor], heights: list[Tensor]) -> None:
        tables = [_tables(*parts) for parts in zip(albedo, shown, photos, heights, strict=True)]
        self._tables = torch.stack(tables)

    @classmethod
    def of_view(cls, view: RenderOutput, source: SourceView, heights: Tensor) -> PhotoTone:
        """Tones of photos.

        Args:
            view: The heads without details in the photos' views.
            source: Those of the photos.
            heights: [B, G * G] y on the average head of what the view's rays see, row by row.
        """
        side, grid = source.depth.shape[-1], math.isqrt(heights.shape[1])
        shown, residual = at_side(view.color, side), at_side(source.residual, side)
        is_known = (source.depth[:, 0] > 0.0) & (residual != 0.0).any(dim=1)
        height_map = at_side(heights.unflatten(1, (1, grid, grid)), side)
        color, before, after, height = (
            [part[:, known].T for part, known in zip(maps, is_known, strict=True)]
            for maps in (source.color, shown, shown + residual, height_map)
        )
        return cls(color, before, after, [part[:, 0] for part in height])

    def factors(self, albedo: Tensor, heights: Tensor) -> Tensor:
        """[V, N, 3] factors of colours without light [V, N, 3] in [0, 1] at heights [V, N] on the average head, in
        views of one head or of one of each."""
        grid = 2.0 * albedo.flip(-1)[:, :, None, None] - 1.0  # x of grid_sample is the last axis: blue
        tables = self._tables.expand(len(albedo), -1, -1, -1, -1)
        found = F.grid_sample(tables, grid, align_corners=True, padding_mode="border")
        of_head, of_body = found[..., 0, 0].transpose(1, 2).split(3, dim=-1)
        return torch.lerp(of_body, of_head, _share_of_head(heights)[..., None]).exp()


def tone_of_teeth(view: RenderOutput, source: SourceView) -> Tensor:
    """[B, 1, 3] factors between the teeth that B photos show and those of heads; 1 without teeth in sight.

    Args:
        view: The heads without details in the photos' views.
        source: Those of the photos.
    """
    factors = view.color.new_ones(len(view.color), 1, 3)
    if view.drawn is None:
        return factors
    residual = at_side(source.residual, view.color.shape[-1])
    is_known = (residual != 0.0).any(dim=1)
    is_tooth = (view.drawn[:, 0] > _SURELY) & (view.surface_color.amin(dim=1) > _TOOTH) & is_known
    for factor, color, more, where in zip(factors, view.color, residual, is_tooth, strict=True):
        if int(where.sum()) >= _LEAST_TEETH:
            shown = color[:, where].mean(dim=1)
            red, green, blue = photo = shown + more[:, where].mean(dim=1)
            if green > _LEAST_GREEN * 0.5 * (red + blue):
                factor[0] = (photo / shown).clamp(*_TEETH)
    return factors


def _share_of_head(heights: Tensor) -> Tensor:
    """How far places at these heights belong to the head, in [0, 1]; the rest belongs to the body."""
    return ramp(heights, _BODY, _HEAD)


def _tables(albedo: Tensor, shown: Tensor, photo: Tensor, heights: Tensor) -> Tensor:
    """[6, cells, cells, cells] logarithms of the factors, of the head and then of the body, by red, green and blue of
    the colour without light."""
    step = max(len(albedo) // _SAMPLES, 1)
    factors = ((photo[::step].clamp(min=0.0) + _DARK) / (shown[::step] + _DARK)).log()
    factors = factors.clamp(-math.log(_MOST), math.log(_MOST))
    ticks = torch.linspace(0.0, 1.0, _CELLS, device=albedo.device)
    cells = torch.cartesian_prod(ticks, ticks, ticks)
    likeness = (torch.cdist(cells, albedo[::step]).square() + _LIKE**2).pow(-2)
    of_head = _share_of_head(heights[::step])
    tables = []
    for share in (of_head, 1.0 - of_head):
        weights = likeness * (share + _ELSEWHERE)
        means = weights @ factors / weights.sum(dim=1, keepdim=True).clamp(min=1e-12)
        tables.append(means.T.reshape(3, _CELLS, _CELLS, _CELLS))
    return torch.cat(tables)
