"""What a photo shows of a reconstructed head: the residual that its code leaves, and the surface where it lies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..camera import Camera
from ..camera.visibility import visibility
from .render_output import RenderOutput


@dataclass(frozen=True)
class SourceView:
    """What the photo shows of a reconstructed head.

    Args:
        residual: [B, 3, 2S, 2S] the photo minus the reconstruction, where both show the person.
        depth: [B, 1, S, S] of the reconstruction along the optical axis in world units, 0 where it is not solid.
        color: [B, 3, S, S] of the reconstruction, in [0, 1], premultiplied.
        camera: The photo's, of B views.
    """

    residual: Tensor
    depth: Tensor
    color: Tensor
    camera: Camera

    @classmethod
    def from_photo(cls, photo: Tensor, person: Tensor, reconstruction: RenderOutput) -> SourceView:
        """What photos show, rounded to float16 as files keep it, so that a head is the same before and after a file.

        Args:
            photo: [B, 3, 2S, 2S] in [0, 1].
            person: [B, 1, 2S, 2S] in [0, 1], where the photo shows the person.
            reconstruction: The head in the photo's view.
        """
        residual = (photo * reconstruction.alpha - reconstruction.color) * person
        color = F.avg_pool2d(reconstruction.color, 2)
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
        positions, _ = self.camera.project(points)
        return positions, visibility(points, self.depth, self.camera), sampled(self.color, positions)


def solid_depth(view: RenderOutput) -> Tensor:
    """[B, 1, S, S] a view's depth where it is more than half opaque, 0 elsewhere."""
    alpha = F.avg_pool2d(view.alpha, view.alpha.shape[-1] // view.depth.shape[-1])
    return torch.where(alpha > 0.5, view.depth, 0.0)


def sampled(maps: Tensor, positions: Tensor) -> Tensor:
    """Values [B, N, C] of maps [B, C, S, S] at normalised positions [B, N, 2], bilinear, 0 outside."""
    values = F.grid_sample(maps, positions[:, :, None] * 2.0 - 1.0, align_corners=False)
    return values[..., 0].transpose(1, 2)
