"""The source view, that is what a photo shows of a head: the residual that its code leaves, and its surface."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..camera import Camera
from ..camera.visibility import ramp, visibility
from ..images.tensors import wholly
from .render_output import RenderOutput

_ANOTHER_SIDE = (0.0, 0.4)  # cosines between two cameras


@dataclass(frozen=True)
class SourceView:
    """A photo's view of its reconstructed head.

    Args:
        residual: [B, 3, H, H], H a multiple of S, the photo minus the reconstruction, where both show the person.
        depth: [B, 1, S, S] depth of the reconstruction along the optical axis in world units, 0 where it is not solid
            and beyond the photo's edges: what has no depth there counts as hidden.
        color: [B, 3, S, S] colours of the reconstruction in [0, 1], premultiplied; on the head mesh without light.
        camera: Cameras of the B photos.
    """

    residual: Tensor
    depth: Tensor
    color: Tensor
    camera: Camera

    @classmethod
    def from_photo(
        cls, photo: Tensor, person: Tensor, reconstruction: RenderOutput, inside: Tensor | None = None
    ) -> SourceView:
        """Source view of photos, rounded to float16 as files keep it: a head is the same before and after a file.

        Args:
            photo: [B, 3, H, H] in [0, 1], of the reconstruction's side.
            person: [B, 1, H, H] in [0, 1], where the photo shows the person.
            reconstruction: The head in the photo's view.
            inside: [B, 1, R, R] in [0, 1], 0 where the aligned photo is padded beyond the photo's edges; None where it
                is not padded.
        """
        residual = (photo * reconstruction.alpha - reconstruction.color) * person
        if inside is not None:
            residual = residual * faded(wholly(inside, residual.shape[-1]))
            reconstruction = cut_off(reconstruction, inside)
        color = reconstruction.on_grid(reconstruction.surface_color)
        residual, depth, color = (part.half().float() for part in (residual, solid_depth(reconstruction), color))
        return cls(residual, depth, color, reconstruction.camera)

    def expand(self, views: int) -> SourceView:
        """One photo for several query views of its head; a batch of that size stays as it is."""
        residual, depth, color = (
            part.expand(views, *part.shape[1:]) for part in (self.residual, self.depth, self.color)
        )
        return replace(self, residual=residual, depth=depth, color=color, camera=self.camera.expand(views))

    def look_up(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """World points [B, N, 3] -> their normalised positions in the photo [B, N, 2], how surely the photo shows them
        [B, N, 1], and the reconstruction's colour there [B, N, 3]."""
        positions, sure = self.shown_at(points)
        return positions, sure, sampled(self.color, positions)

    def shown_at(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """World points [B, N, 3] -> their normalised positions in the photo [B, N, 2], and how surely it shows them
        [B, N, 1]."""
        return self.camera.project(points)[0], visibility(points, self.depth, self.camera)


def near_photo(camera: Camera, other: Camera) -> Tensor:
    """[B, 1] weight of views through ``other`` as views of what the photos of ``camera`` show: 1 up to 66 degrees
    between the two, 0 from 90 on, where another side of the head is seen."""
    cosine = (camera.axis * other.axis).sum(dim=-1, keepdim=True)
    return ramp(cosine, *_ANOTHER_SIDE)


def faded(mask: Tensor) -> Tensor:
    """A mask [B, 1, H, H] of 0 and 1 that rises from 0 at its edges to 1 within a thirtieth of the side: where a photo
    ends, details end without a seam. The edges of the picture itself are none."""
    reach = mask.shape[-1] // 30
    size = 2 * reach + 1
    columns = F.avg_pool2d(mask, (size, 1), stride=1, padding=(reach, 0), count_include_pad=False)
    near = F.avg_pool2d(columns, (1, size), stride=1, padding=(0, reach), count_include_pad=False)
    return mask * (2.0 * near - 1.0).clamp(min=0.0)


def inner(person: Tensor) -> Tensor:
    """A mask [B, 1, S, S] without its outermost hundredth of the side: pixels there hold background as well."""
    reach = 2 * (person.shape[-1] // 128) + 1
    well_within = 1.0 - F.max_pool2d(1.0 - person, reach, stride=1, padding=reach // 2)
    return F.avg_pool2d(well_within, reach, stride=1, padding=reach // 2, count_include_pad=False)


def cut_off(view: RenderOutput, inside: Tensor) -> RenderOutput:
    """A view in a photo's camera that is empty beyond the photo's edges, where a photo shows nothing.

    Args:
        view: B views.
        inside: [B, 1, H, H] in [0, 1], 0 where the aligned photo is padded.
    """
    return replace(view, alpha=view.alpha * wholly(inside, view.alpha.shape[-1]))


def solid_depth(view: RenderOutput) -> Tensor:
    """[B, 1, S, S] a view's depth where it is more than half opaque, 0 elsewhere."""
    return torch.where(view.on_grid(view.alpha) > 0.5, view.depth, 0.0)


def sampled(maps: Tensor, positions: Tensor) -> Tensor:
    """Values [B, N, C] of maps [B, C, S, S] at normalised positions [B, N, 2], bilinear, 0 outside."""
    values = F.grid_sample(maps, positions[:, :, None] * 2.0 - 1.0, align_corners=False)
    return values[..., 0].transpose(1, 2)
