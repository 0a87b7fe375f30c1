"""Eyelids that close over a person's own eyes."""

from __future__ import annotations

from torch import Tensor

from ..shape import ARKIT_UNITS, HeadModel


def closing_lids(model: HeadModel, rest: Tensor) -> dict[str, Tensor]:
    """Offsets [V, 3] of ``eyeBlinkLeft`` and ``eyeBlinkRight`` for a person at rest [V, 3]."""
    return {name: model.expression_basis[ARKIT_UNITS.index(name)] for name in ("eyeBlinkLeft", "eyeBlinkRight")}
