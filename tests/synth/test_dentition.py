"""Teeth: each by itself, and each size of their look changes what it names; skipped where the assets are absent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from geoinv.errors import MissingDependencyError
from geoinv.synth.assets import FloatArray, find_assets, find_base_data
from geoinv.synth.dentition import Dentition
from geoinv.synth.geometry import HeadGeometry
from geoinv.synth.parameters import TeethLook

AVERAGE = TeethLook(1.0, 1.0, 1.0, np.zeros(2), np.array([0.8, 0.77, 0.7]))


@pytest.fixture(scope="module")
def mouth() -> tuple[Dentition, HeadGeometry]:
    try:
        teeth = Dentition(find_assets())
        return teeth, HeadGeometry(find_base_data(), [teeth])
    except MissingDependencyError as error:
        pytest.skip(error.message)


def fitted(mouth: tuple[Dentition, HeadGeometry], look: TeethLook) -> FloatArray:
    teeth, geometry = mouth
    return teeth.fit_look(geometry.average().base, geometry.index, look)


def islands(mouth: tuple[Dentition, HeadGeometry]) -> np.ndarray:
    return np.asarray(mouth[0]._island)


def test_there_are_32_teeth(mouth: tuple[Dentition, HeadGeometry]) -> None:
    counts = np.bincount(islands(mouth))
    assert len(counts) == 33 and counts[0] > 1000 and (counts[1:] == 63).all()


def test_average_look_is_the_proxy_itself(mouth: tuple[Dentition, HeadGeometry]) -> None:
    teeth, geometry = mouth
    plain = teeth.fit(geometry.average().base, geometry.index)
    np.testing.assert_allclose(fitted(mouth, AVERAGE), plain, atol=1e-5)


def test_gaps_narrow_each_tooth_and_leave_the_gums(mouth: tuple[Dentition, HeadGeometry]) -> None:
    plain, gaps = fitted(mouth, AVERAGE), fitted(mouth, replace(AVERAGE, width=0.8))
    island = islands(mouth)
    np.testing.assert_allclose(gaps[island == 0], plain[island == 0], atol=1e-6)
    for tooth in range(1, 33):
        one, other = plain[island == tooth], gaps[island == tooth]
        np.testing.assert_allclose(one.mean(0), other.mean(0), atol=1e-5)
        assert np.ptp(other[:, 1]) == pytest.approx(np.ptp(one[:, 1]), rel=1e-3)
        assert np.ptp(other[:, [0, 2]], axis=0).sum() < 0.97 * np.ptp(one[:, [0, 2]], axis=0).sum()


def test_height_arch_and_crookedness(mouth: tuple[Dentition, HeadGeometry]) -> None:
    plain, island = fitted(mouth, AVERAGE), islands(mouth)
    tall, wide = fitted(mouth, replace(AVERAGE, height=1.2)), fitted(mouth, replace(AVERAGE, arch=1.05))
    first = island == 1
    assert np.ptp(tall[first, 1]) == pytest.approx(1.2 * np.ptp(plain[first, 1]), rel=1e-3)
    np.testing.assert_allclose(wide[:, 0], 1.05 * plain[:, 0], rtol=1e-4, atol=1e-6)
    crooked = fitted(mouth, replace(AVERAGE, shapes=np.array([0.0, 1.0])))
    assert 0.01 < float(np.abs(crooked - plain).max()) < 0.1  # decimetres


def test_enamel_has_the_colour_and_gums_are_red(mouth: tuple[Dentition, HeadGeometry]) -> None:
    colors, is_tooth = mouth[0].colors(AVERAGE), islands(mouth) > 0
    np.testing.assert_allclose(colors[is_tooth].mean(0), AVERAGE.color, atol=0.1)
    assert colors[~is_tooth][:, 0].mean() > 2.5 * colors[~is_tooth][:, 1].mean()


def test_less_light_reaches_the_molars(mouth: tuple[Dentition, HeadGeometry]) -> None:
    depth = fitted(mouth, AVERAGE)[:, 2]
    front, back = depth > np.percentile(depth, 95), depth < np.percentile(depth, 5)
    assert mouth[0].openness[front].mean() > 2.0 * mouth[0].openness[back].mean()
