"""Volumes filled from surfaces whose distance is known in closed form."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from geoinv.models.anchor_grid import Grid, fill_grid

LOW, HIGH = torch.full([3], -0.5), torch.full([3], 0.5)


def sphere(radius: float, count: int = 4000) -> tuple[Tensor, Tensor]:
    """Places and normals [N, 3] of a sphere about the origin, evenly spread."""
    index = torch.arange(count, dtype=torch.float64) + 0.5
    height, turn = 1.0 - 2.0 * index / count, math.pi * (1.0 + 5.0**0.5) * index
    around = (1.0 - height.square()).sqrt()
    normals = torch.stack([around * turn.cos(), around * turn.sin(), height], dim=-1)
    return radius * normals, normals


def filled(places: Tensor, normals: Tensor, homes: Tensor, area: float, cells: int = 16) -> tuple[Tensor, Tensor]:
    grid = Grid(LOW.to(places), HIGH.to(places), cells)
    areas = torch.full([places.shape[-2]], area / places.shape[-2], dtype=places.dtype)
    parts = torch.ones(places.shape[-2], dtype=places.dtype)
    return grid.centres(), fill_grid(grid, places, normals, homes, parts, areas, push=0.02)


def test_a_plane_is_exact() -> None:
    ticks = (torch.arange(40, dtype=torch.float64) + 0.5) / 40 - 0.5
    x, z = torch.meshgrid(ticks, ticks, indexing="ij")
    places = torch.stack([x.flatten(), torch.full([1600], 0.1), z.flatten()], dim=-1).double()
    normals = torch.tensor([0.0, 1.0, 0.0]).double().expand_as(places)
    shift = torch.tensor([0.03, -0.02, 0.01]).double()
    centres, volume = filled(places[None], normals[None], places + shift, 1.0)
    torch.testing.assert_close(volume[0, ..., :3], shift.expand_as(centres))
    torch.testing.assert_close(volume[0, ..., 3], (centres[..., 1] - 0.1).clamp(-0.3, 0.3), atol=1e-5, rtol=0.0)
    torch.testing.assert_close(volume[0, ..., 4:7], normals[0].expand_as(centres), atol=1e-5, rtol=0.0)
    torch.testing.assert_close(volume[0, ..., 7], torch.ones(16, 16, 16).double())


def test_distances_to_a_sphere_are_right_near_it_and_signed_far_from_it() -> None:
    places, normals = sphere(0.3)
    centres, volume = filled(places[None], normals[None], places, 4.0 * math.pi * 0.09, cells=32)
    truth = centres.norm(dim=-1) - 0.3
    near = truth.abs() < 0.03  # a cell
    assert float((volume[0, ..., 3] - truth)[near].abs().max()) < 0.002
    assert bool((volume[0, ..., 3].sign() == truth.sign())[truth.abs() > 0.01].all())
    cosine = (volume[0, ..., 4:7] * centres / centres.norm(dim=-1, keepdim=True)).sum(dim=-1)
    assert float(cosine[near].min()) > 0.995


def test_each_head_of_a_batch_is_its_own() -> None:
    places, normals = sphere(0.2)
    both = torch.stack([places, places + 0.1])
    _, together = filled(both, torch.stack([normals, normals]), places, 0.5)
    _, alone = filled(both[1:], normals[None], places, 0.5)
    torch.testing.assert_close(together[1:], alone)
    assert not torch.allclose(together[0], together[1])


def test_what_lies_outside_of_the_box_is_left_out() -> None:
    places, normals = sphere(0.2)
    far = torch.cat([places, torch.tensor([[9.0, 0.0, 0.0], [0.0, -9.0, 0.0]]).double()])
    with_far = torch.cat([normals, torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]).double()])
    count = len(places)
    _, volume = filled(places[None], normals[None], places, 0.5)
    _, other = filled(far[None], with_far[None], far, 0.5 * (count + 2) / count)
    torch.testing.assert_close(other, volume)


def test_gradients_of_places_and_normals() -> None:
    torch.manual_seed(0)
    places, normals = sphere(0.2, 40)
    places = (places + 0.01 * torch.randn_like(places))[None].requires_grad_()
    normals = normals[None].clone().requires_grad_()
    homes = places[0].detach() + 0.01

    def some(places: Tensor, normals: Tensor) -> Tensor:
        return filled(places, normals, homes, 0.5, cells=8)[1][0, 2:6:3, 2:6:3, 1::3]

    assert torch.autograd.gradcheck(some, (places, normals), atol=1e-5)


def facing(gap: float) -> Tensor:
    """Distances in the cells between two planes that face each other across ``gap``, of 16 cells a side."""
    ticks = (torch.arange(40, dtype=torch.float64) + 0.5) / 40 - 0.5
    x, z = (ticks_of.flatten() for ticks_of in torch.meshgrid(ticks, ticks, indexing="ij"))
    lower, upper = (torch.stack([x, torch.full_like(x, height), z], dim=-1) for height in (-0.5 * gap, 0.5 * gap))
    up = torch.tensor([0.0, 1.0, 0.0]).double().expand_as(lower)
    places = torch.cat([lower, upper])
    _, volume = filled(places[None], torch.cat([up, -up])[None], places, 2.0)
    return volume[0, 4:12, 7:9, 4:12, 3]


def test_what_is_thinner_than_a_cell_is_closed() -> None:
    """Lips that touch: where two surfaces share cells, there is no hole between them; where they do not, there is."""
    assert float(facing(0.01).max()) < -0.02
    assert float(facing(0.25).min()) > 0.05
