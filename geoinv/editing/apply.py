"""Edits: w_plus plus strength times direction."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping

from torch import Tensor

from ..errors import ShapeError, UsageError
from .directions import Directions, plain_name


def apply_edits(
    w_plus: Tensor,  # [B, num_ws, w_dim]
    directions: Directions,
    strengths: Mapping[str, float],
) -> Tensor:
    """``w_plus + sum strength * direction``, a new tensor [B, num_ws, w_dim].

    Args:
        w_plus: Of any number of heads.
        directions: Of the same generator.
        strengths: By name; 1 is a clear edit, negative goes the other way, 0 changes nothing.

    Raises:
        UsageError: A name that is not among the directions (near ones are told), or a strength that is no number.
        ShapeError: Directions of another shape than the codes.
    """
    edited = w_plus.clone()
    for name, strength in strengths.items():
        vector = direction_named(directions, name)
        if not math.isfinite(strength):
            raise UsageError(f"the strength of {name} must be a finite number, got {strength}")
        if vector.shape != w_plus.shape[1:]:
            raise ShapeError(f"w_plus must be [B, {vector.shape[0]}, {vector.shape[1]}], got {list(w_plus.shape)}")
        edited = edited + strength * vector.to(w_plus)
    return edited


def direction_named(directions: Directions, name: str) -> Tensor:
    """[num_ws, w_dim] of an attribute, whose name may be written with spaces or hyphens and in any case.

    Raises:
        UsageError: There is none; the message names near ones.
    """
    known = {plain_name(own): own for own in directions.names}
    plain = plain_name(name)
    if plain in known:
        return directions.vectors[known[plain]]
    near = [known[match] for match in difflib.get_close_matches(plain, known, n=3, cutoff=0.5)]
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(directions.names)}"
    raise UsageError(f"unknown attribute {name!r}", f"{hint} (geoinv edit --list shows all)" if near else hint)
