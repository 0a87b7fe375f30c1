"""The target of inversion by optimisation: a photo on the generator's ray grid, and where the face is.

Photos have backgrounds, heads of ``mini`` have none, so a background must never pay for a smaller head. The pixels
that count are fixed before the first step: the face (the hull of its landmarks), which must be solid, and those where
the head that inversion starts from is solid. Everywhere else only the outline is compared, with the start's. The same
pixels, over the same grey, measure the head before and after.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ...camera import pixel_centres
from ...images.tensors import wholly


@dataclass(frozen=True)
class PhotoTarget:
    """A photo on a grid of S x S rays.

    Args:
        color: [S * S, 3] in [0, 1], each the mean of the pixels it covers.
        is_face: [S * S] bool; False in padding.
        is_inside: [S * S] bool, False where the picture is padded beyond the photo's edges: nothing is compared there.
        pixels: [S * S, 2] normalised positions (x, y) of the rays.
    """

    color: Tensor
    is_face: Tensor
    is_inside: Tensor
    pixels: Tensor

    @classmethod
    def from_picture(
        cls,
        picture: Tensor,  # [1, 3, H, H] in [0, 1]
        face: Tensor,  # [H, H] 1 on the face, 0 elsewhere
        side: int,
        device: torch.device | None = None,
        *,
        inside: Tensor | None = None,  # [H, H] 0 where the picture is padded; None without padding
    ) -> PhotoTarget:
        """The target at ``side``, on a device."""
        inside = torch.ones_like(face) if inside is None else inside
        is_inside = wholly(inside[None, None], side).flatten() > 0.5
        color = functional.interpolate(picture, size=(side, side), mode="area")[0].flatten(1).T
        covered = functional.interpolate(face[None, None].float(), size=(side, side), mode="area").flatten()
        is_face = (covered > 0.5) & is_inside
        return cls(color.to(device), is_face.to(device), is_inside.to(device), pixel_centres(side, device))

    @property
    def side(self) -> int:
        """Side of the grid in rays."""
        return math.isqrt(len(self.color))
