"""How far optimisation has moved the shape of a head on the head mesh, and its light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...models.anchored_generator import AnchoredGenerator
from ...models.encoder import shape_scales
from ...models.on_mesh import OnMesh
from ...shape import HeadCodes

if TYPE_CHECKING:
    from ...models.families import OfPlanes

_LIGHT_SCALE = 0.3  # about the spread of light over heads


@dataclass(frozen=True)
class ShapeMove:
    """Moves of shape and light from a start, in units of their spread over heads.

    Args:
        start: Where they begin, batch size 1.
        codes: [1, I + 54] moves of the shape code.
        light: [1, 9, 3] moves of the light.
    """

    start: OnMesh
    codes: Tensor
    light: Tensor

    @classmethod
    def of(cls, generator: OfPlanes, w_plus: Tensor, start: OnMesh | None) -> ShapeMove | None:
        """Moves that are 0 yet, with gradients; None for generators without a mesh."""
        if not isinstance(generator, AnchoredGenerator):
            return None
        with torch.no_grad():
            start = start or generator.on_mesh(w_plus)
        codes = torch.zeros_like(start.codes.as_vector()).requires_grad_()
        return cls(start, codes, torch.zeros_like(start.light).requires_grad_())

    def moved(self) -> OnMesh:
        """Shape and light as they are now."""
        before = self.start.codes.as_vector()
        codes = before + shape_scales(before.shape[1]).to(before) * self.codes
        return OnMesh(HeadCodes.from_vector(codes), self.start.light + _LIGHT_SCALE * self.light)
