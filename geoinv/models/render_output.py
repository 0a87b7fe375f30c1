"""Views of heads through cameras: colour, opacity and depth of a batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from ..camera import Camera, pixel_centres
from ..camera.surface import render_normals
from ..conventions import MM_PER_UNIT
from ..images.tensors import GREY, at_side


@dataclass(frozen=True)
class RenderOutput:
    """A batch of views.

    Args:
        color: [B, 3, H, W] in [0, 1], premultiplied by alpha.
        alpha: [B, 1, H, W] in [0, 1].
        depth: [B, 1, h, w] along the optical axis in world units; meaningless where alpha is 0. Its side is that of
            the ray grid, which super-resolution does not change.
        camera: The cameras that saw it.
        mm_per_unit: Millimetres of a life-sized head in a world unit.
        own_normals: [B, 3, h, w] world normals of any length that the head knows of its surface; None where it knows
            none, and its depth alone tells them.
    """

    color: Tensor
    alpha: Tensor
    depth: Tensor
    camera: Camera
    mm_per_unit: float = MM_PER_UNIT
    own_normals: Tensor | None = None

    @property
    def drawn(self) -> Tensor | None:
        """[B, 1, H, W] in [0, 1], how far they are drawn from a mesh; None where nothing is."""
        return None

    @property
    def surface_color(self) -> Tensor:
        """[B, 3, H, W] what a local branch knows a surface by: its colour, and on the head mesh that without light."""
        return self.color

    @property
    def normals(self) -> Tensor:
        """[B, 3, h, w] unit world normals, zero where no surface is solid: the head's own, or those of its depth."""
        if self.own_normals is None:
            return self.normals_of_depth
        solid = at_side(self.alpha, self.depth.shape[-1]) > 0.5
        return F.normalize(self.own_normals, dim=1) * solid

    @property
    def normals_of_depth(self) -> Tensor:
        """[B, 3, h, w] unit world normals of the depth's slopes, zero where they are not known."""
        return render_normals(self.depth, self.alpha, self.camera.cam2world, focal=self.camera.focal)

    def over(self, background: float | Tensor = 1.0) -> Tensor:
        """[B, 3, H, W] in [0, 1], in front of a background in [0, 1]."""
        return (self.color + (1.0 - self.alpha) * background).clamp(0.0, 1.0)

    def over_grey(self) -> Tensor:
        """[B, 3, H, W] in [0, 1] over mid-grey, as pictures are compared."""
        return self.over(GREY)

    @cached_property
    def surface(self) -> tuple[Tensor, Tensor]:
        """World points [B, h * w, 3] that the rays of the grid hit, row by row, and the rays' directions."""
        origins, directions = self.camera.rays(pixel_centres(self.depth.shape[-1], self.depth.device))
        cosine = (directions * self.camera.axis[:, None]).sum(dim=-1, keepdim=True)
        return origins + directions * (self.depth.flatten(1)[..., None] / cosine), directions

    def on_grid(self, picture: Tensor) -> Tensor:
        """A picture [B, C, H, W] at the side of the ray grid, which is that of ``depth``: means over pixels."""
        return F.avg_pool2d(picture, picture.shape[-1] // self.depth.shape[-1])

    def cpu(self) -> RenderOutput:
        """The views on the CPU, in float32 and without gradients."""
        own = None if self.own_normals is None else _on_cpu(self.own_normals)
        color, alpha, depth, cam2world = map(_on_cpu, (self.color, self.alpha, self.depth, self.camera.cam2world))
        return RenderOutput(color, alpha, depth, Camera(cam2world, self.camera.focal), self.mm_per_unit, own)

    @classmethod
    def cat(cls, views: Sequence[RenderOutput]) -> RenderOutput:
        """Views of cameras with one lens as one batch."""
        color, alpha, depth, cam2world = (
            torch.cat(parts)
            for parts in zip(*((v.color, v.alpha, v.depth, v.camera.cam2world) for v in views), strict=True)
        )
        normals = [view.own_normals for view in views if view.own_normals is not None]
        own = torch.cat(normals) if len(normals) == len(views) else None
        return RenderOutput(color, alpha, depth, Camera(cam2world, views[0].camera.focal), views[0].mm_per_unit, own)


def _on_cpu(part: Tensor) -> Tensor:
    return part.detach().float().cpu()


def every(part: Tensor, few: int) -> Tensor:
    """Of values [V, S * S, ...] of a grid of rays those of every (S * S / few) ** 0.5-th along rows and columns; of
    ``few`` values, on a grid or not, all."""
    if part.shape[1] == few:
        return part
    side, fewer = math.isqrt(part.shape[1]), math.isqrt(few)
    step = side // fewer
    return part.reshape(len(part), side, side, *part.shape[2:])[:, ::step, ::step].flatten(1, 2)


def seen_rays(alpha: Tensor) -> Tensor:
    """[M] numbers of the rays of which some of V views sees something, given their alpha [V, N]."""
    return (alpha > 0.0).any(dim=0).nonzero()[:, 0]


def among(values: Tensor, numbers: Tensor, count: int) -> Tensor:
    """Values [V, M, C] of the rays with these numbers as values of all rays [V, count, C], 0 elsewhere."""
    return values.new_zeros(len(values), count, values.shape[2]).index_copy(1, numbers, values)
