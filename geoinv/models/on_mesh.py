"""What a head on the head mesh has beside its code w_plus: its shape, and the light on it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import ShapeError
from ..shape import HeadCodes


@dataclass(frozen=True)
class OnMesh:
    """Shape and light of B heads, where they are kept apart from w_plus.

    Args:
        codes: Shape codes.
        light: [B, 9, 3] light on them (:mod:`geoinv.light`).
    """

    codes: HeadCodes
    light: Tensor

    def __post_init__(self) -> None:
        if self.light.shape != (len(self.codes.identity), 9, 3):
            raise ShapeError(f"light must be [{len(self.codes.identity)}, 9, 3], got {list(self.light.shape)}")

    def __len__(self) -> int:
        return len(self.light)

    def to(self, place: torch.device | Tensor) -> OnMesh:
        """The same on a device, or on a tensor's and of its type."""
        return OnMesh(HeadCodes.from_vector(self.codes.as_vector().to(place)), self.light.to(place))

    def __getitem__(self, heads: slice) -> OnMesh:
        """Those of some of the heads."""
        return OnMesh(HeadCodes.from_vector(self.codes.as_vector()[heads]), self.light[heads])

    @property
    def is_finite(self) -> bool:
        """Whether all numbers are."""
        return bool(self.codes.as_vector().isfinite().all() and self.light.isfinite().all())
