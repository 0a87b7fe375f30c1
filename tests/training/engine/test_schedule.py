"""The schedule: its learning rate, and that a change of the budget never moves it back."""

from __future__ import annotations

import pytest

from geoinv.training.engine.schedule import Course, learning_rate_at


def test_learning_rate_warms_up_and_falls() -> None:
    assert learning_rate_at(0.0, 1.0) == 0.0
    assert learning_rate_at(0.01, 1.0) > 0.99
    assert learning_rate_at(0.5, 1.0) == pytest.approx(0.51, abs=0.01)
    assert learning_rate_at(1.0, 1.0) == pytest.approx(0.02)


def test_with_one_budget_the_place_is_the_part_used() -> None:
    course = Course("steps", 20)
    assert [course.at(used) for used in (0, 5, 13, 20, 25)] == [0.0, 0.25, 0.65, 1.0, 1.0]
    assert course.changed_to("steps", 20, used_before=5, used=5) is course


def test_a_larger_budget_goes_on_from_the_same_place() -> None:
    """Half of 20 steps, then 50 in all: what is left of the schedule takes the 40 steps that are left."""
    course = Course("steps", 20).changed_to("steps", 50, used_before=10, used=10)
    assert [course.at(used) for used in (10, 20, 50)] == [0.5, 0.625, 1.0]
    again = course.changed_to("steps", 50, used_before=20, used=20)  # killed, and started again
    assert again is course


def test_after_the_end_the_place_stays() -> None:
    course = Course("minutes", 1.0).changed_to("minutes", 4.0, used_before=1.0, used=1.0)
    assert [course.at(used) for used in (1.0, 2.0, 4.0)] == [1.0, 1.0, 1.0]


def test_a_smaller_budget_and_another_unit() -> None:
    course = Course("steps", 100).changed_to("steps", 40, used_before=20, used=20)
    assert [course.at(used) for used in (20, 30, 40)] == [0.2, pytest.approx(0.6), 1.0]
    course = Course("steps", 100).changed_to("minutes", 3.0, used_before=50, used=1.0)
    assert [course.at(used) for used in (1.0, 2.0, 3.0)] == [0.5, 0.75, 1.0]
    assert Course("steps", 100).changed_to("steps", 10, used_before=50, used=50).at(50) == 1.0
