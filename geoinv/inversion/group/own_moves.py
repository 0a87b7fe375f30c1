"""What each photo of a person has for itself: expression and light, as moves of the code along edit directions.

Whatever else the codes of a person's photos differ in is taken for an error of the encoder, and is shared.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ...models.latent_space import LatentSpace

OWN_ATTRIBUTES = (
    *("smile", "mouth-open", "lips-parted", "pucker", "frown", "brows-raised", "brows-lowered"),
    *("eyes-closed", "squint", "gaze-left", "gaze-up"),
    *("light-left", "light-above", "contrast", "brightness"),
)
"""Names of the edits that change from photo to photo of one person; a generator need not have all of them."""

_RIDGE = 0.3
"""Weight of a strength's square against the codes' distance in standard deviations, so that directions that look alike
do not cancel each other with large strengths."""


def own_moves(directions: Mapping[str, Tensor], num_ws: int, w_dim: int) -> Tensor:
    """[J, num_ws, w_dim] the directions in which one person's photos may differ; J is 0 where there are none."""
    found = [directions[name] for name in OWN_ATTRIBUTES if name in directions]
    return torch.stack(found) if found else torch.zeros(0, num_ws, w_dim)


def strengths_of(away: Tensor, moves: Tensor, space: LatentSpace) -> Tensor:
    """Strengths [K, J] of moves [J, num_ws, w_dim] that explain how far codes lie from the shared one, ``away``
    [K, num_ws, w_dim], by ridge regression in standard deviations of random codes."""
    if not len(moves):
        return away.new_zeros(len(away), 0)
    basis, wanted = ((part / space.deviations).flatten(1).double() for part in (moves, away))  # [J, D], [K, D]
    gram = basis @ basis.T
    gram = gram + _RIDGE * torch.diag(gram.diagonal())
    strengths: Tensor = torch.linalg.solve(gram, basis @ wanted.T).T.to(away.dtype)
    return strengths
