"""The numbers that shape a head: who it is, what its face does, where its eyes look."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import ShapeError
from .arkit import ARKIT_UNITS


@dataclass(frozen=True)
class HeadCodes:
    """Codes of a batch of heads, the input of :class:`~geoinv.shape.HeadModel`.

    Args:
        identity: [B, I], standard normal over the synthetic heads; zero is the mean head.
        expression: [B, 52] weights of ARKit's units in the order of ``ARKIT_UNITS``; 0 is at rest, 1 the full movement.
        gaze: [B, 2] radians that both eyes turn to world +x and up; zero looks straight ahead.
    """

    identity: Tensor
    expression: Tensor
    gaze: Tensor

    def __post_init__(self) -> None:
        batch = self.identity.shape[0] if self.identity.ndim == 2 else -1
        if batch < 0 or self.expression.shape != (batch, len(ARKIT_UNITS)) or self.gaze.shape != (batch, 2):
            shapes = ", ".join(str(list(code.shape)) for code in (self.identity, self.expression, self.gaze))
            raise ShapeError(f"codes of a head must be [B, I], [B, {len(ARKIT_UNITS)}] and [B, 2], got {shapes}")

    @classmethod
    def zeros(cls, identity_size: int, batch: int = 1, device: torch.device | str = "cpu") -> HeadCodes:
        """Codes of the mean head at rest, ``batch`` times."""
        sizes = (identity_size, len(ARKIT_UNITS), 2)
        return cls(*(torch.zeros(batch, size, device=device) for size in sizes))

    def as_vector(self) -> Tensor:
        """[B, I + 54]: identity, expression, gaze."""
        return torch.cat([self.identity, self.expression, self.gaze], dim=-1)

    @classmethod
    def from_vector(cls, vector: Tensor) -> HeadCodes:
        """Inverse of :meth:`as_vector`; ``vector`` is [B, I + 54]."""
        rest = len(ARKIT_UNITS) + 2
        if vector.ndim != 2 or vector.shape[1] <= rest:
            raise ShapeError(f"vector of a head's codes must be [B, I + {rest}], got {list(vector.shape)}")
        return cls(vector[:, :-rest], vector[:, -rest:-2], vector[:, -2:])
