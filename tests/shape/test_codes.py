"""Codes of heads."""

from __future__ import annotations

import pytest
import torch

from geoinv.errors import ShapeError
from geoinv.shape import HeadCodes


def test_vector_round_trip() -> None:
    vector = torch.randn(3, 96 + 54, generator=torch.Generator().manual_seed(0))
    codes = HeadCodes.from_vector(vector)
    assert codes.identity.shape == (3, 96) and codes.expression.shape == (3, 52) and codes.gaze.shape == (3, 2)
    assert torch.equal(codes.as_vector(), vector)


def test_rejects_other_shapes() -> None:
    with pytest.raises(ShapeError, match="52"):
        HeadCodes(torch.zeros(1, 96), torch.zeros(1, 51), torch.zeros(1, 2))
    with pytest.raises(ShapeError, match="codes of a head"):
        HeadCodes(torch.zeros(2, 96), torch.zeros(1, 52), torch.zeros(1, 2))
    with pytest.raises(ShapeError, match="vector"):
        HeadCodes.from_vector(torch.zeros(1, 54))
