"""The detector's habits between the yaws at which they were measured."""

from __future__ import annotations

import pytest
import torch

from geoinv.shape.detector_habits import DetectorHabits


@pytest.mark.parametrize(
    ("yaw_rad", "expected", "slope"),
    [
        (-2.0, 1.0, 0.0),
        (-0.5, 1.0, 4.0),
        (-0.25, 2.0, 4.0),
        (0.1, 4.0, 10.0),
        (0.5, 8.0, 10.0),
        (9.0, 8.0, 0.0),
    ],
)
def test_is_linear_between_and_constant_beyond(yaw_rad: float, expected: float, slope: float) -> None:
    values = torch.tensor([1.0, 3.0, 8.0])
    deviation, offset = values[:, None].expand(3, 468), values[:, None, None].expand(3, 468, 2)
    habits = DetectorHabits(torch.tensor([-0.5, 0.0, 0.5]), -offset, deviation)
    found_offset, found_slope, found_deviation = habits.at(yaw_rad)
    torch.testing.assert_close(found_deviation, torch.full((468,), expected))
    torch.testing.assert_close(found_offset, torch.full((468, 2), -expected))
    torch.testing.assert_close(found_slope, torch.full((468, 2), -slope))
