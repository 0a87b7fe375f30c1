"""HeadSampler: deterministic, bounded, and its choices are what it says they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from geoinv.synth import HeadParameters, HeadSampler
from geoinv.synth.palettes import HAIR_MALE


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
        assert sampler.z_dim <= 170

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

    @pytest.mark.parametrize("name", sorted(HeadSampler().attributes))
    def test_attribute_changes_the_head(self, sampler: HeadSampler, name: str) -> None:
        attribute = sampler.attributes[name]
        low, high = np.zeros(sampler.z_dim), np.zeros(sampler.z_dim)
        sex = -1.0 if name == "long-hair" else 1.0  # beards and shaved heads are for masculine heads
        low[sampler.index("sex")] = high[sampler.index("sex")] = sex
        for z, places in ((low, attribute.low), (high, attribute.high)):
            z[list(places)] = list(places.values())
        assert repr(sampler(low)) != repr(sampler(high))

    def test_about_an_eighth_wears_glasses(self, sampler: HeadSampler) -> None:
        rng = np.random.default_rng(2)
        worn = [sampler(z).glasses is not None for z in rng.standard_normal((800, sampler.z_dim))]
        assert 0.08 < np.mean(worn) < 0.17

    def test_the_youngest_are_children_without_beards(self, sampler: HeadSampler) -> None:
        z = np.zeros(sampler.z_dim)
        z[sampler.index("sex")], z[sampler.index("beard-style") + 4] = 1.5, 4.0
        heads = []
        for age in (-2.5, 0.0, 2.5):
            z[sampler.index("age")] = age
            heads.append(sampler(z))
        assert [round(head.child, 2) for head in heads] == [1.0, 0.0, 0.0]
        assert heads[0].beard.max() == 0.0 and heads[1].beard.max() > 0.8
        stem = "macrodetails/universal-male-child-averagemuscle-averageweight"
        assert heads[0].targets[stem] > 0.9 and heads[1].targets[stem] == 0.0
        assert heads[2].age > 0.9

    def test_who_smiles_does_not_frown(self, sampler: HeadSampler) -> None:
        z = np.zeros(sampler.z_dim)
        z[sampler.index("frown")], z[sampler.index("smile")] = 2.5, -1.0
        frowning = sampler(z).expression["expression/mouthFrownLeft"]
        z[sampler.index("smile")] = 2.0
        smiling = sampler(z)
        assert frowning > 0.4 and smiling.expression["expression/mouthFrownLeft"] < 0.25 * frowning
        assert smiling.expression["expression/mouthLowerDownLeft"] > 0.3  # and shows teeth

    def test_few_smiles_are_one_sided(self, sampler: HeadSampler) -> None:
        rng, differences = np.random.default_rng(3), []
        for z in rng.standard_normal((400, sampler.z_dim)):
            units = sampler(z).expression
            left, right = (units[f"expression/mouthSmile{side}"] for side in ("Left", "Right"))
            differences.append(abs(left - right) / max(left, right))
        assert 0.02 < np.median(differences) < 0.2 and np.max(differences) < 0.5

    def test_skins_are_mixed(self, sampler: HeadSampler) -> None:
        rng = np.random.default_rng(4)
        shares = np.stack([sampler(z).skin_variants for z in rng.standard_normal((300, sampler.z_dim))])
        np.testing.assert_allclose(shares.sum(1), 1.0)
        assert np.mean(shares.max(1) < 0.8) > 0.3  # a third and more are of two or three

    def test_a_sharp_lamp_comes_with_contrast(self, sampler: HeadSampler) -> None:
        lamps = []
        for contrast in (-1.0, 0.0, 2.0):
            z = np.zeros(sampler.z_dim)
            z[sampler.index("light-contrast")] = contrast
            lamps.append(float(sampler(z).light.lamp.max()))
        assert lamps[:2] == [0.0, 0.0] and lamps[2] > 0.4

    def test_rejects_wrong_length(self, sampler: HeadSampler) -> None:
        with pytest.raises(ValueError, match="z must be"):
            sampler(np.zeros(3))

    def test_category_chooses_the_largest(self, sampler: HeadSampler) -> None:
        for category in sampler.categories:
            for option in range(category.stop - category.start):
                z = np.zeros(sampler.z_dim)
                z[category.start + option] = 5.0
                assert sampler.choices(z)[category.name] == option

    def test_bias_decides_at_zero(self, sampler: HeadSampler) -> None:
        choices = sampler.choices(np.zeros(sampler.z_dim))
        assert all(choices[c.name] == int(np.argmax(c.bias)) for c in sampler.categories)

    def test_categories_share_no_place(self, sampler: HeadSampler) -> None:
        places = [i for c in sampler.categories for i in range(c.start, c.stop)] + [s.index for s in sampler.switches]
        assert len(places) == len(set(places))

    def test_switches_turn_at_the_threshold(self, sampler: HeadSampler) -> None:
        switches = {s.name: s for s in sampler.switches}
        z = np.zeros(sampler.z_dim)
        seen = []
        for step in (-1e-6, 1e-6):
            z[switches["glasses"].index] = switches["glasses"].threshold + step
            z[switches["male-hair"].index] = switches["male-hair"].threshold + step
            head = sampler(z)
            seen.append((head.glasses is not None, head.hair in HAIR_MALE))
        assert seen == [(False, False), (True, True)]

    @pytest.mark.parametrize(
        ("name", "read"),
        [
            ("smile", lambda head: head.smile),
            ("mouth-open", lambda head: head.mouth_open),
            ("age", lambda head: head.age),
            ("gender", lambda head: head.male),
            ("skin-tone", lambda head: head.dark),
            ("beard", lambda head: head.beard.sum()),
            ("beard-length", lambda head: head.beard_length),
            ("gap-teeth", lambda head: -head.teeth.width),
            ("white-teeth", lambda head: head.teeth.color.mean()),
            ("freckles", lambda head: head.freckles),
            ("red-cheeks", lambda head: head.redness),
            ("glasses", lambda head: float(head.glasses is not None)),
            ("light-left", lambda head: -head.light.direction[0]),
            ("blond-hair", lambda head: head.hair_color.mean()),
            ("grey-hair", lambda head: -np.ptp(head.hair_color / head.hair_color.max())),
            ("eyes-closed", lambda head: head.expression["expression/eyeBlinkLeft"]),
            ("nose-width", lambda head: head.targets.get("nose/nose-scale-horiz-incr", 0.0)),
        ],
    )
    def test_attribute_changes_what_it_says(
        self, sampler: HeadSampler, name: str, read: Callable[[HeadParameters], float]
    ) -> None:
        values = []
        for places in (sampler.attributes[name].low, sampler.attributes[name].high):
            z = np.zeros(sampler.z_dim)
            z[sampler.index("sex")] = 1.0  # beards are for masculine heads
            z[list(places)] = list(places.values())
            values.append(float(read(sampler(z))))
        assert values[1] > values[0] + 0.02
