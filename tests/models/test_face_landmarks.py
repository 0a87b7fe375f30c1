"""Landmarks as centres of heat: where they are, and that a network learns to follow what it is shown."""

from __future__ import annotations

import torch
from torch import nn

from geoinv.models.face_landmarks import LANDMARKS, LandmarkNetwork, centres, heat_covariance, heat_loss


def test_even_heat_is_the_middle() -> None:
    network = LandmarkNetwork((16, 16))
    head = network.hourglass.head
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    heat = network(torch.rand(2, 3, 64, 64))
    assert heat.shape == (2, LANDMARKS, 16, 16)
    assert torch.allclose(centres(heat), torch.full((2, LANDMARKS, 2), 0.5), atol=1e-6)


def test_heat_in_one_cell_is_its_centre() -> None:
    heat = torch.full((1, 2, 16, 16), -100.0)
    heat[:, :, 3, 12] = 100.0  # row, column
    expected = torch.tensor([12.5 / 16.0, 3.5 / 16.0]).expand(1, 2, 2)
    assert torch.allclose(centres(heat), expected, atol=1e-6)


def test_the_spread_of_heat_says_along_which_direction_a_place_is_unsure() -> None:
    heat = torch.full((1, 2, 16, 16), -100.0)
    heat[0, 0, 3, [4, 8]] = 0.0  # two cells of a row, four apart
    heat[0, 1, 3, 12] = 0.0
    across = (2.0 / 16.0) ** 2
    expected = torch.tensor([[[across, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])[None]
    assert torch.allclose(heat_covariance(heat), expected, atol=1e-6)
    heat[0, 1, 5, 14] = 0.0  # along the diagonal: down and to the right
    assert torch.allclose(heat_covariance(heat)[0, 1], torch.full((2, 2), 1.0 / 256.0), atol=1e-6)


def test_heat_that_fits_best_has_its_centre_at_the_landmark() -> None:
    true = torch.tensor([[[0.41, 0.73], [0.5, 0.2]]])
    heat = torch.zeros(1, 2, 8, 8, requires_grad=True)
    optimizer = torch.optim.Adam([heat], lr=0.3)
    for _ in range(200):
        optimizer.zero_grad()
        heat_loss(heat, true).backward()
        optimizer.step()
    assert (centres(heat) - true).abs().max() < 2e-3


def test_landmarks_outside_do_not_count() -> None:
    heat = torch.randn(1, 2, 8, 8)
    one = heat_loss(heat[:, :1], torch.tensor([[[0.4, 0.6]]]))
    both = heat_loss(heat, torch.tensor([[[0.4, 0.6], [1.2, 0.5]]]))
    assert torch.isclose(one, both)
    assert heat_loss(heat, torch.full((1, 2, 2), -1.0)) == 0.0


def test_learns_where_a_spot_is() -> None:
    torch.manual_seed(0)
    network = LandmarkNetwork((16, 16, 16))
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    ticks = (torch.arange(64) + 0.5) / 64
    for _ in range(60):
        centre = 0.2 + 0.6 * torch.rand(8, 2)
        error = heat_loss(network(_spots(centre, ticks)), centre[:, None].expand(-1, LANDMARKS, -1))
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    centre = torch.tensor([[0.3, 0.6], [0.7, 0.25]])
    off = (centres(network(_spots(centre, ticks))).mean(dim=1) - centre).abs().max()
    assert off < 0.03  # two pixels of 64


def _spots(centre: torch.Tensor, ticks: torch.Tensor) -> torch.Tensor:
    x = torch.exp(-((ticks - centre[:, :1]) ** 2) / 0.005)[:, None, None, :]
    y = torch.exp(-((ticks - centre[:, 1:]) ** 2) / 0.005)[:, None, :, None]
    return (2.0 * x * y - 1.0).expand(-1, 3, -1, -1)
