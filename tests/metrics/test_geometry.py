import math

import pytest
import torch

from geoinv.errors import ShapeError
from geoinv.metrics.geometry import (
    both_solid,
    depth_error_units,
    normal_error_deg,
    shape_depth_error_units,
    units_to_mm,
)


def test_both_solid():
    one, other = torch.tensor([0.9, 0.9, 0.2, 0.5]), torch.tensor([0.6, 0.4, 0.9, 0.9])
    assert both_solid(one.view(1, 1, 2, 2), other.view(1, 1, 2, 2)).flatten().tolist() == [True, False, False, False]


def test_units_to_mm():
    assert units_to_mm(0.01) == pytest.approx(3.7)


class TestDepthError:
    def test_hand_computed(self):
        depth = torch.tensor([[[[2.5, 2.6], [3.3, math.nan]]]])
        target = torch.tensor([[[[2.4, 2.9], [2.0, 2.0]]]])
        mask = torch.tensor([[[[True, True], [False, False]]]])
        assert depth_error_units(depth, target, mask).item() == pytest.approx(0.2, abs=1e-6)

    def test_empty_mask_is_nan(self):
        zeros = torch.zeros(1, 1, 2, 2)
        assert depth_error_units(zeros, zeros, zeros.bool()).isnan().all()

    def test_rejects_shape(self):
        with pytest.raises(ShapeError):
            depth_error_units(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 4, 4).bool())

    def test_shape_by_hand(self) -> None:
        """Half a unit too far, with one of four pixels off by 0.3 more, and one that is not known."""
        target = torch.tensor([[[[2.0, 2.1, 2.2], [2.3, 2.4, 2.5]]]])
        depth = target + 0.5
        depth[..., 1, 1] += 0.3
        depth[..., 1, 2] = math.nan
        mask = torch.tensor([[[[True, True, True], [True, True, False]]]])
        assert shape_depth_error_units(depth, target, mask).item() == pytest.approx(0.3 / 5, abs=1e-6)
        assert shape_depth_error_units(depth, target, torch.zeros_like(mask)).isnan().all()


class TestNormalError:
    def test_hand_computed(self):
        up, right = torch.tensor([0.0, 1.0, 0.0]), torch.tensor([1.0, 0.0, 0.0])
        normals = torch.stack([up, up, up, torch.zeros(3)], dim=1).view(1, 3, 2, 2)
        target = torch.stack([up, right, (up + right), up], dim=1).view(1, 3, 2, 2)  # 0, 90, 45 degrees, unknown
        mask = torch.ones(1, 1, 2, 2, dtype=torch.bool)
        assert normal_error_deg(normals, target, mask).item() == pytest.approx(45.0, abs=1e-4)
