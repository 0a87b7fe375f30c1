"""Expression and light of each photo, told from what the photos share."""

from __future__ import annotations

import torch

from geoinv.inversion.group.own_moves import own_moves, strengths_of
from geoinv.models.latent_space import LatentSpace


def test_only_expression_and_light_are_a_photos_own() -> None:
    directions = {name: torch.full((3, 4), float(size)) for size, name in enumerate(("age", "smile", "light-left"))}
    moves = own_moves(directions, 3, 4)
    assert moves[:, 0, 0].tolist() == [1.0, 2.0]
    assert own_moves({"age": torch.ones(3, 4)}, 3, 4).shape == (0, 3, 4)


def test_strengths_explain_the_difference_and_nothing_else() -> None:
    space = LatentSpace(torch.zeros(4), torch.eye(4))
    moves = torch.zeros(2, 3, 4)
    moves[0, :, 0], moves[1, :, 1] = 1.0, 1.0
    away = 0.5 * moves[:1] - 0.25 * moves[1:]
    away[0, :, 3] = 9.0  # who it is, which no move explains
    strengths = strengths_of(away, moves, space)
    assert torch.allclose(strengths, torch.tensor([[0.5, -0.25]]) / 1.3, atol=1e-5)
    assert strengths_of(away, moves[:0], space).shape == (1, 0)
