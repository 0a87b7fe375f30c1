"""What two passes through rays may skip for a given error."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .reference import RaySampling


@dataclass(frozen=True)
class SkipLimits:
    """Limits of what may be skipped.

    Args:
        empty_raw: Raw density; an interval whose mean is surely below it is left out.
        min_transmittance: A ray ends where its transmittance falls below this.
        least_share: Weight of a sample; one that counts less gets no features.
    """

    empty_raw: float
    min_transmittance: float
    least_share: float

    @staticmethod
    def of(tolerance: float, sampling: RaySampling, *, haze: float = 1.0) -> SkipLimits:
        """Limits that make an error of a third of ``tolerance`` each; none where it is 0.

        Args:
            tolerance: Error of alpha and features.
            sampling: Sampling of rays.
            haze: Part of the longest way through the box that may be as dense as skipped space is.
        """
        if tolerance == 0.0:
            return SkipLimits(-math.inf, 0.0, 0.0)
        part = tolerance / 3.0
        # softplus(raw - 1) along that way makes an alpha of `part`
        empty_raw = 1.0 + math.log(math.expm1(part / (haze * math.sqrt(3.0) * sampling.box_side)))
        return SkipLimits(empty_raw, part, part / (sampling.num_samples + sampling.num_importance))
