"""HeadSampler: deterministic, bounded, and its choices are what it says they are."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from geoinv.synth import HeadSampler


@pytest.fixture(scope="module")
def sampler() -> HeadSampler:
    return HeadSampler()


def _numbers(value: object) -> np.ndarray:
    if dataclasses.is_dataclass(value):
        fields = [_numbers(getattr(value, field.name)) for field in dataclasses.fields(value)]
        return np.concatenate(fields)
    if isinstance(value, dict):
        return np.array(sorted(float(v) for v in value.values()))
    if value is None or isinstance(value, str):
        return np.array([float(sum(map(ord, value or "")))])
    return np.atleast_1d(np.asarray(value, float)).ravel()


class TestHeadSampler:
    def test_z_is_small_enough_for_the_generator(self, sampler: HeadSampler) -> None:
        assert sampler.z_dim <= 150

    def test_same_z_gives_the_same_head(self, sampler: HeadSampler) -> None:
        z = np.random.default_rng(0).standard_normal(sampler.z_dim)
        np.testing.assert_array_equal(_numbers(sampler(z)), _numbers(HeadSampler()(z.copy())))

    def test_categories_and_switches_stay_within_z(self, sampler: HeadSampler) -> None:
        for category in sampler.categories:
            assert 0 <= category.start < category.stop <= sampler.z_dim
            assert len(category.bias) == category.stop - category.start
        assert all(0 <= switch.index < sampler.z_dim for switch in sampler.switches)

    def test_small_steps_without_a_change_of_choice_are_smooth(self, sampler: HeadSampler) -> None:
        rng = np.random.default_rng(1)
        for _ in range(20):
            z = rng.standard_normal(sampler.z_dim)
            near = z + 1e-5 * rng.standard_normal(sampler.z_dim)
            on = [(s.index, z[s.index] > s.threshold, near[s.index] > s.threshold) for s in sampler.switches]
            assert sampler.choices(z) == sampler.choices(near) and all(a == b for _, a, b in on)
            a, b = sampler(z), sampler(near)
            np.testing.assert_allclose(a.skin_tint, b.skin_tint, atol=1e-4)
            np.testing.assert_allclose(a.light.direction, b.light.direction, atol=1e-4)
            keys = set(a.targets) | set(b.targets)
            assert max(abs(a.targets.get(k, 0.0) - b.targets.get(k, 0.0)) for k in keys) < 1e-3

    @pytest.mark.parametrize("name", ["smile", "age", "gender", "glasses", "beard", "skin-tone", "mouth-open"])
    def test_attribute_changes_the_head(self, sampler: HeadSampler, name: str) -> None:
        attribute = sampler.attributes[name]
        low, high = np.zeros(sampler.z_dim), np.zeros(sampler.z_dim)
        low[sampler.index("sex")] = high[sampler.index("sex")] = 1.0  # beards are for masculine heads
        for z, places in ((low, attribute.low), (high, attribute.high)):
            z[list(places)] = list(places.values())
        a, b = _numbers(sampler(low)), _numbers(sampler(high))
        assert len(a) != len(b) or np.abs(a - b).max() > 0.05

    def test_about_an_eighth_wears_glasses(self, sampler: HeadSampler) -> None:
        rng = np.random.default_rng(2)
        worn = [sampler(z).glasses is not None for z in rng.standard_normal((800, sampler.z_dim))]
        assert 0.08 < np.mean(worn) < 0.17

    def test_rejects_wrong_length(self, sampler: HeadSampler) -> None:
        with pytest.raises(ValueError, match="z must be"):
            sampler(np.zeros(3))
