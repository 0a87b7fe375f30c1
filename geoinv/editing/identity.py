"""Limit of an edit by identity: the face must stay the same person's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import UsageError

_HALVINGS = 6  # the scale is known to 1/64


@dataclass(frozen=True)
class IdentityBound:
    """The part of an edit that keeps the person.

    Args:
        scale: Factor of all strengths, in [0, 1].
        distance: Identity distance between the head before and after, at that scale.
    """

    scale: float
    distance: float


def largest_scale(distance_at: Callable[[float], float], limit: float) -> IdentityBound:
    """The largest scale in [0, 1] whose identity distance stays within ``limit``, by bisection.

    Args:
        distance_at: Identity distance of the edit at a scale; 0 at scale 0, and thought to grow.
        limit: Euclidean distance of descriptors, at least 0; 0.6 is where another person begins.

    Raises:
        UsageError: A limit that is negative or no number.
    """
    if not limit >= 0.0:
        raise UsageError(f"the identity distance must be at least 0, got {limit}", "0.6 is where another person begins")
    whole = distance_at(1.0)
    if whole <= limit:
        return IdentityBound(1.0, whole)
    low, high, kept = 0.0, 1.0, 0.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        distance = distance_at(middle)
        if distance <= limit:
            low, kept = middle, distance
        else:
            high = middle
    return IdentityBound(low, kept)
