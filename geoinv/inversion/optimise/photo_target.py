"""What inversion by optimisation compares a head with: a photo on the generator's ray grid, and where the face is.

Photos have backgrounds, heads of ``mini`` have none, so a background must never pay for a smaller head. The pixels
that count are fixed before the first step: the face (the hull of its landmarks), which must be solid, and those where
the head that inversion starts from is solid. Everywhere else only the outline is compared, with the start's. The same
pixels, over the same grey, measure the head before and after.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ...camera import pixel_centres


@dataclass(frozen=True)
class PhotoTarget:
    """A photo on a grid of S x S rays.

    Args:
        color: [S * S, 3] in [0, 1], each the mean of the pixels it covers.
        is_face: [S * S] bool.
        pixels: [S * S, 2] normalised positions (x, y) of the rays.
    """

    color: Tensor
    is_face: Tensor
    pixels: Tensor

    @classmethod
    def from_picture(
        cls,
        picture: Tensor,  # [1, 3, H, H] in [0, 1]
        face: Tensor,  # [H, H] 1 on the face, 0 elsewhere
        side: int,
        device: torch.device | None = None,
    ) -> PhotoTarget:
        """The target at ``side``, on a device."""
        color = functional.interpolate(picture, size=(side, side), mode="area")[0].flatten(1).T
        share = functional.interpolate(face[None, None].float(), size=(side, side), mode="area").flatten()
        return cls(color.to(device), (share > 0.5).to(device), pixel_centres(side, device))

    @property
    def side(self) -> int:
        """Side of the grid in rays."""
        return round(len(self.color) ** 0.5)
