"""The warp of planes: what it moves by hand, and where it says that heads have the same places."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from geoinv.models.generator import TriPlaneGenerator
from geoinv.models.plane_warp import PlaneWarp
from tests.tiny_models import tiny_config

SIDE, CELLS = 16, 8


def warp_by(flow: Tensor) -> PlaneWarp:
    """One that moves every head by flow [3, 2, CELLS, CELLS]."""
    torch.manual_seed(0)
    warp = PlaneWarp(4, 2, CELLS)
    warp.set_fields(flow.flatten(), torch.zeros(2, 6 * CELLS * CELLS))
    return warp


def smooth_warp(seed: int) -> PlaneWarp:
    """One that moves heads by smooth fields, by a few pixels, each code by other amounts."""
    random = torch.Generator().manual_seed(seed)
    coarse = 0.02 * torch.randn(2, 6, 3, 3, generator=random)
    fields = torch.nn.functional.interpolate(coarse, size=(CELLS, CELLS), mode="bicubic")
    warp = warp_by(torch.zeros(3, 2, CELLS, CELLS))
    warp.set_fields(torch.zeros(6 * CELLS * CELLS), fields.flatten(1))
    with torch.no_grad():
        warp.net[-1].weight.mul_(8.0)
    return warp


def test_a_new_warp_moves_nothing() -> None:
    planes, w_plus = torch.randn(2, 12, SIDE, SIDE), torch.randn(2, 3, 4)
    assert torch.allclose(PlaneWarp(4, 2, CELLS)(planes, w_plus), planes, atol=1e-5)


@pytest.mark.parametrize(("axis", "dim"), [(0, -1), (1, -2)])
def test_a_pixel_by_hand(axis: int, dim: int) -> None:
    """A flow of one pixel to the right shows what was painted there: pictures move to the left; only on its plane."""
    flow = torch.zeros(3, 2, CELLS, CELLS)
    flow[1, axis] = 2.0 / SIDE
    planes = torch.randn(1, 6, SIDE, SIDE)
    moved = warp_by(flow)(planes, torch.zeros(1, 3, 4))
    assert torch.allclose(moved[:, [0, 1, 4, 5]], planes[:, [0, 1, 4, 5]], atol=1e-5)
    expected = planes[:, 2:4].roll(-1, dims=dim)
    inside = slice(0, SIDE - 1)
    kept = (..., inside) if dim == -1 else (..., inside, slice(None))
    assert torch.allclose(moved[:, 2:4][kept], expected[kept], atol=1e-5)


def test_the_mean_of_the_codes_decides() -> None:
    warp, w_plus = smooth_warp(0), torch.randn(1, 3, 4)
    assert torch.allclose(warp.flow(w_plus), warp.flow(w_plus.mean(dim=1, keepdim=True)), atol=1e-6)
    assert not torch.allclose(warp.flow(w_plus), warp.flow(w_plus + 1.0), atol=1e-3)


class TestSamePlaces:
    points = 0.6 * (torch.rand(1, 50, 3, generator=torch.Generator().manual_seed(1)) - 0.5)

    def test_one_head_is_where_it_is(self) -> None:
        warp, w_plus = smooth_warp(0), torch.randn(1, 3, 4)
        assert torch.allclose(warp.same_places(self.points, w_plus, w_plus, box_side=1.0), self.points, atol=1e-4)

    def test_by_hand(self) -> None:
        """Heads whose flows differ by a constant: width and height by the first plane, depth by the third."""
        warp = smooth_warp(0)
        first, second = torch.zeros(1, 3, 4), torch.ones(1, 3, 4)
        with torch.no_grad():
            warp.fields.zero_()
            warp.fields[0] = torch.arange(1.0, 7.0)[:, None, None]
            amounts = warp.amounts(first)[:, 0] - warp.amounts(second)[:, 0]
        moved = warp.same_places(self.points, first, second, box_side=2.0) - self.points
        assert torch.allclose(moved, 0.01 * amounts * torch.tensor([1.0, 2.0, 5.0]).expand_as(moved), atol=1e-5)

    def test_there_and_back(self) -> None:
        warp = smooth_warp(0)
        first, second = torch.randn(2, 1, 3, 4, generator=torch.Generator().manual_seed(2)).unbind()
        there = warp.same_places(self.points, first, second, box_side=1.0)
        assert (there - self.points).abs().max() > 0.01
        assert torch.allclose(warp.same_places(there, second, first, box_side=1.0), self.points, atol=1e-3)

    def test_planes_show_the_same_there(self) -> None:
        """What one head's front plane shows at a point, the other's shows at the same place."""
        warp = smooth_warp(0)
        first, second = torch.randn(2, 1, 3, 4, generator=torch.Generator().manual_seed(2)).unbind()
        ticks = torch.linspace(-1.0, 1.0, 64)
        painted = torch.stack(torch.meshgrid(ticks, ticks, indexing="xy"))[None].repeat(1, 3, 1, 1)  # its own places
        there = warp.same_places(self.points, first, second, box_side=1.0)
        shown = [
            torch.nn.functional.grid_sample(
                warp(painted, code)[:, :2], 2.0 * points[:, None, :, :2], align_corners=False
            )
            for code, points in ((first, self.points), (second, there))
        ]
        assert torch.allclose(*shown, atol=0.02)


def test_places_of_the_average_head_and_back() -> None:
    warp, w_plus, points = smooth_warp(0), torch.randn(1, 3, 4), TestSamePlaces.points
    painted = warp.places_painted(points, w_plus, box_side=1.0)
    assert (painted - points).abs().max() > 0.005
    assert torch.allclose(warp.places_on_head(painted, w_plus, box_side=1.0), points, atol=1e-3)


def test_generators_without_a_warp_move_nothing() -> None:
    from dataclasses import replace

    config = tiny_config()
    plain = TriPlaneGenerator(replace(config, backbone=replace(config.backbone, warp_rank=0)))
    points, codes = torch.rand(1, 5, 3), torch.randn(2, 1, plain.config.num_ws, plain.config.w_dim)
    assert torch.equal(plain.same_places(points, *codes), points)


def test_gradients_reach_every_part() -> None:
    warp = smooth_warp(0)
    warp(torch.randn(1, 12, SIDE, SIDE), torch.randn(1, 3, 4)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in warp.parameters())
