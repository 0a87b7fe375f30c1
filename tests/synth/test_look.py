"""The look of a head as numbers."""

from __future__ import annotations

import numpy as np
import pytest

from geoinv.synth.look import LOOK_SIZE, look_numbers
from geoinv.synth.sampler import HeadSampler


def test_as_many_numbers_as_stated_for_every_head() -> None:
    sampler, rng = HeadSampler(), np.random.default_rng(0)
    looks = np.stack([look_numbers(sampler(rng.standard_normal(sampler.z_dim))) for _ in range(300)])
    assert looks.shape == (300, LOOK_SIZE)
    assert np.isfinite(looks).all() and np.abs(looks).max() < 4.0
    assert (looks.std(axis=0) > 0.0).all()  # each tells something


def test_what_changes_in_a_head_changes_in_its_look() -> None:
    sampler = HeadSampler()
    z = np.zeros(sampler.z_dim)
    before = look_numbers(sampler(z))
    z[sampler.index("glasses")] = 2.0
    changed = np.flatnonzero(look_numbers(sampler(z)) != before)
    assert 2 <= len(changed) <= 5  # one of four styles, and the colour of its frame
    z[sampler.index("light-azimuth")] = 2.0
    assert np.flatnonzero(look_numbers(sampler(z)) != before).tolist() == changed.tolist()  # light is none of it


def test_colours_are_display_values() -> None:
    sampler = HeadSampler()
    head = sampler(np.zeros(sampler.z_dim))
    shown = (head.cloth_color ** (1.0 / 2.2)).tolist()
    look = look_numbers(head).tolist()
    start = look.index(pytest.approx(shown[0], abs=1e-6))
    assert look[start : start + 3] == pytest.approx(shown, abs=1e-6)
