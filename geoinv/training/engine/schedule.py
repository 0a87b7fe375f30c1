"""Place of a run in its schedule, and the learning rate there.

Everything in a run that changes with time (learning rate, losses that join later) follows its place in the schedule:
0 at the start, 1 at the end of the budget. So a budget in minutes gives a whole schedule on any machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


def learning_rate_at(place: float, peak: float) -> float:
    """Learning rate: a short warm-up, then a cosine from the peak down to 2 % of it.

    Args:
        place: Place in the schedule, in [0, 1].
        peak: The highest learning rate.
    """
    warm = min(place / 0.01, 1.0)
    return peak * warm * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * min(place, 1.0))))


@dataclass(frozen=True)
class Course:
    """The way from a used part of a budget to a place in the schedule.

    A resumed run may get another budget. Its place in the schedule then goes on from where it was, evenly over what the
    new budget leaves, and never back: after the end, a jump back to a high learning rate would undo what the fall of
    the learning rate had brought, and losses that had joined would leave again.

    Args:
        unit: Unit of the budget.
        total: Size of the budget.
        since: Part of it that was used when this course began.
        place: Place in the schedule at that time, in [0, 1].
    """

    unit: str
    total: float
    since: float = 0.0
    place: float = 0.0

    def at(self, used: float) -> float:
        """Place in the schedule, in [0, 1], where ``used`` of the budget is used."""
        left = self.total - self.since
        passed = min((used - self.since) / left, 1.0) if left > 0.0 else 1.0
        return self.place + (1.0 - self.place) * passed

    def changed_to(self, unit: str, total: float, *, used_before: float, used: float) -> Course:
        """The course of a resumed run: this one where its budget is the same, else a new one from the same place.

        Args:
            unit: Unit of the budget that the run has now.
            total: Size of that budget.
            used_before: Part used of the budget that this course is of.
            used: Part used in the new unit.
        """
        if (unit, total) == (self.unit, self.total):
            return self
        return Course(unit, total, used, self.at(used_before))
