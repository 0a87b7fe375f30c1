"""Edits: w_plus plus strength times direction."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor

from ..errors import ShapeError, UsageError
from .directions import Directions


def apply_edits(
    w_plus: Tensor,  # [B, num_ws, w_dim]
    directions: Directions,
    strengths: Mapping[str, float],
) -> Tensor:
    """``w_plus + sum strength * direction``, a new tensor [B, num_ws, w_dim].

    Args:
        w_plus: Codes of any number of heads.
        directions: Directions of the same generator.
        strengths: Strength by attribute; 1 is an edit that everybody sees, negative goes the other way, 0 changes
            nothing. There is no bound here, see :mod:`geoinv.editing.reach`.

    Raises:
        UsageError: A name that is not among the directions (the hint has near ones), or a strength that is not finite.
        ShapeError: Directions of another shape than the codes.
    """
    edited = w_plus.clone()
    for name, strength in strengths.items():
        vector = direction_named(directions, name)
        checked_strength(name, strength)
        if vector.shape != w_plus.shape[1:]:
            raise ShapeError(f"w_plus must be [B, {vector.shape[0]}, {vector.shape[1]}], got {list(w_plus.shape)}")
        edited = edited + strength * vector.to(w_plus)
    return edited


def checked_strength(name: str, strength: float) -> None:
    """Raise ``UsageError`` unless the strength of an attribute is a finite number."""
    if not math.isfinite(strength):
        raise UsageError(f"the strength of {name} must be a finite number, got {strength}", "1 is a whole edit")


def direction_named(directions: Directions, name: str) -> Tensor:
    """[num_ws, w_dim] of an attribute, see :meth:`Directions.name_of`."""
    return directions.vectors[directions.name_of(name)]
