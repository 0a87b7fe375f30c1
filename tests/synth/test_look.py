"""The look of a head as numbers."""

from __future__ import annotations

import numpy as np

from geoinv.synth.look import COLORS, LOOK_SIZE, look_numbers
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


def test_colours_are_display_values_and_stand_where_they_are_said_to() -> None:
    sampler, rng = HeadSampler(), np.random.default_rng(1)
    head = sampler(rng.standard_normal(sampler.z_dim))
    look = look_numbers(head)
    for start, color in zip(COLORS, (head.eye_color, head.hair_color, head.cloth_color), strict=True):
        np.testing.assert_allclose(look[start : start + 3], np.clip(color, 0.0, 1.0) ** (1.0 / 2.2), atol=1e-6)
