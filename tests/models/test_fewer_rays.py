"""Grids of rays of which those between alike neighbours are interpolated."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from geoinv.models.fewer_rays import between, traced_where_needed
from geoinv.ops.render_rays import RayOutput

Scene = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Traced:
    """A scene of one number over the picture, which is all features and alpha, and of distances; counts its rays."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.rays = scene, 0

    def __call__(self, origins: Tensor, directions: Tensor) -> RayOutput:
        self.rays += origins.shape[1]
        value, distance = self.scene(origins[..., 0], origins[..., 1])
        return RayOutput(value[..., None].repeat(1, 1, 7), value, distance, value.new_empty(*value.shape, 0))


def grid(side: int, views: int = 1) -> Tensor:
    """Origins [V, S, S, 3]: column, row and view."""
    ticks = torch.arange(float(side))
    rows, columns = torch.meshgrid(ticks, ticks, indexing="ij")
    return torch.stack([torch.stack([columns, rows, torch.full_like(rows, v)], dim=-1) for v in range(views)])


def seen(scene: Scene, side: int, views: int = 1) -> tuple[RayOutput, RayOutput, int]:
    """What is seen with few rays, what all rays see, and how many these few were."""
    trace, origins = Traced(scene), grid(side, views)
    some = traced_where_needed(trace, origins, origins)
    return some, Traced(scene)(origins.reshape(1, -1, 3), origins), trace.rays


def slope(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return 0.02 * x + 0.01 * y, 2.0 + 0.001 * x


def step(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """A shape with an edge between two columns that are both traced at first."""
    return (x > 8.5).float(), 2.0 + 0.0 * y


def cliff(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """An edge that shows in its distance alone."""
    return 0.5 + 0.0 * x, 2.0 + 0.02 * (y > 10.5).float()


@pytest.mark.parametrize("views", [1, 3])
def test_a_smooth_surface_takes_a_quarter_of_the_rays(views: int) -> None:
    some, all_rays, count = seen(slope, 32, views)
    beyond = 3 * (16 + 15)  # of the squares of the last row and column, as no ray beyond them is known
    assert count == views * (16 * 16 + beyond)
    torch.testing.assert_close(some.features, all_rays.features, atol=1e-6, rtol=0.0)
    torch.testing.assert_close(some.distance, all_rays.distance, atol=1e-6, rtol=0.0)


@pytest.mark.parametrize("scene", [step, cliff])
def test_all_rays_about_an_edge_are_traced(scene: Scene) -> None:
    some, all_rays, count = seen(scene, 32)
    assert 16 * 16 < count < 32 * 32
    assert torch.equal(some.features, all_rays.features)
    assert torch.equal(some.alpha, all_rays.alpha)
    assert torch.equal(some.distance, all_rays.distance)


def test_an_odd_side_is_traced_whole() -> None:
    some, all_rays, count = seen(slope, 9)
    assert count == 81
    assert torch.equal(some.features, all_rays.features)


def test_views_are_kept_apart() -> None:
    origins = grid(8, 2)
    some = traced_where_needed(Traced(lambda x, y: (0.01 * x, y)), origins, origins)
    first, second = some.features.reshape(2, -1, 7)
    assert torch.equal(first, second)


def test_between_is_bilinear() -> None:
    """0 and 4 at every second of four pixels: 2 between them, and 4 beyond the last."""
    maps = torch.tensor([[0.0, 4.0], [0.0, 4.0]])[None, None]
    assert between(maps, 4)[0, 0].tolist() == [[0.0, 2.0, 4.0, 4.0]] * 4
