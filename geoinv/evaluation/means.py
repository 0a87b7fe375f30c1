"""Averages of metrics over many pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch import Tensor

Metrics = dict[str, float | int | None]
"""Measured values by name; None where there was nothing to measure."""


@dataclass
class Means:
    """Values of metrics by name, and their means; nan, for a picture with nothing to compare, is left out."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, values: Tensor) -> None:
        """Add one value of a metric, or a batch of values."""
        self.values.setdefault(name, []).extend(values.flatten().tolist())

    def mean(self, name: str) -> float | None:
        """The mean of a metric; None where there is no value of it."""
        known = [value for value in self.values.get(name, []) if not math.isnan(value)]
        return sum(known) / len(known) if known else None
