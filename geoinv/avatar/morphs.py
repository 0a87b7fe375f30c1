"""Morph targets of one person: ARKit's 52 units and Oculus' 15 visemes, as offsets of places and normals from rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..conventions import MM_PER_UNIT
from ..shape import ARKIT_UNITS, HeadModel
from .eyelids import eyelids
from .parts import AvatarPart, FloatArray, all_normals
from .template import FittedTemplate
from .visemes import VISEMES, viseme_code

MORPH_NAMES = ARKIT_UNITS + VISEMES
"""Names of all morph targets in their order."""

_LIDS = (("eyeBlinkRight", 159, 145), ("eyeBlinkLeft", 386, 374))
"""Blinks, and the landmarks in the middle of the upper and of the lower lid's edge."""

_OVERLAP = 1.0 / MM_PER_UNIT  # of closed lids
_OF_BLINK = (0.75, 1.25)  # limits of what a person's blink is of the model's
_LEAST_MOVE = 0.005 / MM_PER_UNIT
_LEAST_TURN = 0.004  # a quarter of a degree: less is not seen, and would be written for every vertex


@dataclass(frozen=True, eq=False)
class Morphs:
    """K morph targets over all vertices; see :func:`~geoinv.avatar.template.all_vertices`.

    Args:
        names: Names in their order.
        moves: [K, A, 3] offsets of places at weight 1, in world units.
        turns: [K, A, 3] offsets of normals at weight 1.
    """

    names: tuple[str, ...]
    moves: FloatArray
    turns: FloatArray

    def of(self, part: AvatarPart) -> Morphs:
        """The morph targets at the corners of a part."""
        return Morphs(self.names, self.moves[:, part.rows], self.turns[:, part.rows])

    def which_move(self) -> list[int]:
        """Numbers of the targets that move anything."""
        return [number for number, moves in enumerate(self.moves) if moves.any()]


@torch.no_grad()
def morph_targets(template: FittedTemplate) -> Morphs:
    """The morph targets of a person, in the order of ``MORPH_NAMES``."""
    model = template.model
    rest = template.at_rest()
    count = len(model.mean)
    units = _units_of(model, rest[:count])  # [52, V, 3]
    visemes = torch.cat([viseme_code(name) for name in VISEMES])
    of_model = torch.cat([units, torch.einsum("ku,uvc->kvc", visemes, units)])  # [K, V, 3]
    placed = rest[:count] + of_model
    codes = torch.cat([torch.eye(len(units)), visemes])
    others = torch.cat([model.teeth.on(placed), eyelids(model).on(placed, codes)], dim=1)
    moves = torch.cat([of_model, others - rest[count:]], dim=1)
    turns = all_normals(model, rest + moves) - all_normals(model, rest[None])
    moves[moves.norm(dim=-1) < _LEAST_MOVE] = 0.0
    turns[turns.norm(dim=-1) < _LEAST_TURN] = 0.0
    return Morphs(MORPH_NAMES, np.asarray(moves.numpy(), np.float32), np.asarray(turns.numpy(), np.float32))


def _units_of(model: HeadModel, rest: Tensor) -> Tensor:
    """The units [52, V, 3] of a person with vertices [V, 3] at rest, whose blinks just close the eyes.

    The model's blink is of one length: over narrow eyes the lid came down onto the lower lashes.
    """
    units = model.expression_basis.clone()
    edges = model.landmarks468
    for name, upper, lower in _LIDS:
        number = ARKIT_UNITS.index(name)
        is_open, sinks = (edges.on(values)[upper, 1] - edges.on(values)[lower, 1] for values in (rest, units[number]))
        units[number] *= ((is_open + _OVERLAP) / -sinks).clamp(*_OF_BLINK)
    return units
