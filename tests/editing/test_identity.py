"""Bounding an edit by identity: the largest scale that keeps the person."""

from __future__ import annotations

import pytest

from geoinv.editing import IdentityBound, largest_scale


def test_a_small_edit_is_left_whole() -> None:
    assert largest_scale(lambda scale: 0.3 * scale, limit=0.5) == IdentityBound(1.0, 0.3)


def test_a_large_edit_is_cut_at_the_limit() -> None:
    bound = largest_scale(lambda scale: 0.8 * scale, limit=0.4)
    assert bound.scale == pytest.approx(0.5, abs=1 / 64)
    assert bound.distance == pytest.approx(0.8 * bound.scale)
    assert bound.distance <= 0.4


def test_where_nothing_is_allowed_nothing_is_left() -> None:
    assert largest_scale(lambda scale: 0.0 if scale == 0.0 else 1.0, limit=0.2) == IdentityBound(0.0, 0.0)
