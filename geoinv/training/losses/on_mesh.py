"""Shape and look of heads against known ones: errors of vertices, and of numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...models.anchored_generator import AnchoredGenerator
from ...shape import HeadCodes, HeadModel

_CODE_WEIGHT = 1e-7  # of squared codes beside squared world units: small components are not left to chance

_HUE_WEIGHT = 0.1  # of each; the mean of numbers gives one of 66 about 0.015

SHAPE_WEIGHT = 1e4
"""A shape loss of 1 is an error of a hundredth of the box side, 3.7 mm."""


class ShapeLoss:
    """Squared errors of vertices, without making any: all but the turn of the eyes is linear in the codes.

    Args:
        model: Head mesh model.
    """

    def __init__(self, model: HeadModel) -> None:
        basis = torch.cat([model.identity_basis, model.expression_basis]).flatten(1).double()  # [I + 52, 3 V]
        products = basis @ basis.T / len(model.mean)
        self._products = torch.zeros(len(products) + 2, len(products) + 2)
        self._products[:-2, :-2] = products.float()
        eye = model.mean[model.parts["left-eye"].vertices]
        radius = (eye - eye.mean(dim=0)).norm(dim=-1).mean()
        share = 2.0 * len(eye) / len(model.mean)
        self._products[[-2, -1], [-2, -1]] = float(share * radius.square()) * 10.0  # few vertices, but they are seen
        self._products += _CODE_WEIGHT * torch.eye(len(self._products))

    def __call__(self, found: HeadCodes, wanted: Tensor) -> Tensor:
        """Mean squared distance of vertices in squared world units; ``wanted`` is [B, I + 54]."""
        error = found.as_vector() - wanted
        return ((error @ self._products.to(error)) * error).sum(dim=-1).mean()


def painting_loss(generator: AnchoredGenerator, w_plus: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared error of what planes are painted from, each number in units of its spread over heads.

    Args:
        generator: The generator of the codes.
        w_plus: [B, num_ws, w_dim] found; their mean counts.
        wanted: [B, w_dim] true codes.
    """
    with torch.no_grad():
        target = generator.painting_codes(wanted[:, None])
    return (generator.painting_codes(w_plus.mean(dim=1, keepdim=True)) - target).square().mean()


class LookLoss:
    """Squared errors of the numbers of a look, each over how much it differs between heads, and of hues once more.

    Red, green and blue of a colour differ together far more than from one another: by their own errors alone, cloth
    came out as bright as it should be and grey.

    Args:
        look: [N, L] of many heads.
        colors: Where the three numbers of each colour begin.
    """

    def __init__(self, look: Tensor, colors: Sequence[int] = ()) -> None:
        self._colors = list(colors)
        self._spread = look.std(dim=0).clamp_min(0.02)
        self._hue_spread = self._hues(look).std(dim=0).clamp_min(0.01)

    def __call__(self, found: Tensor, wanted: Tensor) -> Tensor:
        """Error of looks [B, L]."""
        hues = (self._hues(found - wanted) / self._hue_spread.to(found)).square().sum(dim=-1).mean()
        return self.of_numbers(found, wanted) + _HUE_WEIGHT * hues

    def of_numbers(self, found: Tensor, wanted: Tensor) -> Tensor:
        """Mean squared error of the numbers alone; 1 is what the mean of all heads leaves."""
        return ((found - wanted) / self._spread.to(found)).square().mean()

    def _hues(self, look: Tensor) -> Tensor:
        """[N, 2 C] red and blue beside green."""
        green = look[:, [start + 1 for start in self._colors]]
        beside = [look[:, [start + channel for start in self._colors]] - green for channel in (0, 2)]
        return torch.cat(beside, dim=1)
