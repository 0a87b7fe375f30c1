"""Accuracy between the yaws at which it was measured."""

from __future__ import annotations

import pytest
import torch

from geoinv.shape import DetectorAccuracy


@pytest.mark.parametrize(
    ("yaw_rad", "expected"), [(-2.0, 1.0), (-0.5, 1.0), (-0.25, 2.0), (0.0, 3.0), (0.1, 4.0), (0.5, 8.0), (9.0, 8.0)]
)
def test_is_linear_between_and_constant_beyond(yaw_rad: float, expected: float) -> None:
    deviation = torch.tensor([1.0, 3.0, 8.0])[:, None].expand(3, 468)
    accuracy = DetectorAccuracy(torch.tensor([-0.5, 0.0, 0.5]), deviation)
    torch.testing.assert_close(accuracy.at(yaw_rad), torch.full((468,), expected))
