"""An edit goes twice as far as random codes do, no further, and says so."""

from __future__ import annotations

import pytest
import torch

from geoinv import notices
from geoinv.editing import Directions, Reach, bounded_strengths, measure_reach
from geoinv.errors import UsageError
from geoinv.models.generator import TriPlaneGenerator
from tests.tiny_models import tiny_config

# one unit of w is half a strength of smile, and a whole one of age
DIRECTIONS = Directions({"smile": torch.tensor([[2.0, 0.0]]), "age": torch.tensor([[0.0, 1.0]])}, {}, "")
REACH = Reach(torch.tensor([1.0, 0.0]), {"smile": (-1.0, 3.0), "age": (-4.0, 4.0)})
AVERAGE = torch.tensor([[[1.0, 0.0]]])


def test_what_is_within_reach_is_left_alone() -> None:
    strengths = {"smile": 3.0, "age": -4.0}
    assert bounded_strengths(AVERAGE, DIRECTIONS, strengths, REACH) == strengths
    assert notices.given() == []


@pytest.mark.parametrize(("asked", "applied"), [(1e9, 3.0), (3.5, 3.0), (-1e9, -1.0)])
def test_what_goes_beyond_is_bounded_and_said(asked: float, applied: float) -> None:
    assert bounded_strengths(AVERAGE, DIRECTIONS, {"smile": asked, "age": 1.0}, REACH) == {"smile": applied, "age": 1.0}
    assert len(notices.given()) == 1
    assert notices.given()[0].startswith(f"smile {asked:+g} ")
    assert notices.given()[0].endswith(f"{applied:+g} is applied")


def test_the_bound_is_on_where_the_head_ends() -> None:
    smiling = AVERAGE + torch.tensor([[[4.0, 0.0]]])  # at 2 of 3
    assert bounded_strengths(smiling, DIRECTIONS, {"smile": 5.0}, REACH) == {"smile": 1.0}
    assert bounded_strengths(smiling, DIRECTIONS, {"smile": -5.0}, REACH) == {"smile": -3.0}


def test_a_head_that_is_beyond_may_only_come_back() -> None:
    beyond = AVERAGE + torch.tensor([[[10.0, 0.0]]])  # at 5 of 3
    assert bounded_strengths(beyond, DIRECTIONS, {"smile": 0.5}, REACH) == {"smile": 0.0}
    assert bounded_strengths(beyond, DIRECTIONS, {"smile": -0.5}, REACH) == {"smile": -0.5}


def test_each_edit_is_bounded_after_those_before_it() -> None:
    both = Directions({"smile": torch.tensor([[2.0, 0.0]]), "grin": torch.tensor([[2.0, 0.0]])}, {}, "")
    reach = Reach(REACH.w_avg, {"smile": (-1.0, 3.0), "grin": (-1.0, 3.0)})
    assert bounded_strengths(AVERAGE, both, {"smile": 2.0, "grin": 2.0}, reach) == {"smile": 2.0, "grin": 1.0}


@pytest.mark.parametrize("strength", [float("nan"), float("inf"), -float("inf")])
def test_strengths_are_finite(strength: float) -> None:
    with pytest.raises(UsageError, match="strength of smile must be a finite number"):
        bounded_strengths(AVERAGE, DIRECTIONS, {"smile": strength}, REACH)


def test_limits_are_twice_the_range_of_random_codes() -> None:
    torch.manual_seed(0)
    generator = TriPlaneGenerator(tiny_config())
    generator.w_avg.fill_(0.25)
    vector = torch.zeros(generator.config.num_ws, generator.config.w_dim)
    vector[:, 3] = 0.05
    reach = measure_reach(generator, Directions({"smile": vector}, {}, ""))
    z = torch.randn(4096, generator.config.z_dim, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        places = (generator.mapping(z)[:, 0, 3] - 0.25) / 0.05
    assert places.max().item() > 1.0
    assert reach.limits["smile"] == pytest.approx((2.0 * places.min().item(), 2.0 * places.max().item()), rel=1e-4)
    wide = measure_reach(generator, Directions({"smile": 1000.0 * vector}, {}, ""))
    assert wide.limits["smile"] == (-2.0, 2.0)
