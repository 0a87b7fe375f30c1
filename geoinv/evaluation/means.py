"""Averages of figures over many pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch import Tensor

Figures = dict[str, float | int | None]
"""Figures by name; None where there was nothing to measure."""


@dataclass
class Means:
    """Figures by name; nan, which stands for a picture with nothing to compare, is left out of the mean."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, figures: Tensor) -> None:
        """One figure or a batch of them."""
        self.values.setdefault(name, []).extend(figures.flatten().tolist())

    def mean(self, name: str) -> float | None:
        """The mean, None without a figure."""
        known = [value for value in self.values.get(name, []) if not math.isnan(value)]
        return sum(known) / len(known) if known else None
