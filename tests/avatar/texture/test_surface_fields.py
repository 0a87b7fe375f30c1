"""Fields on a flat strip of triangles: distances and membranes that are known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from geoinv.avatar.texture.surface_fields import SurfaceFields, smoothstep


def strip(length: int = 11) -> SurfaceFields:
    """Two rows of ``length`` vertices, 1 apart."""
    x = np.arange(length)
    vertices = np.concatenate([np.stack([x, 0 * x, 0 * x], 1), np.stack([x, 0 * x + 1, 0 * x], 1)]).astype(float)
    a = np.arange(length - 1)
    triangles = np.concatenate([np.stack([a, a + 1, a + length], 1), np.stack([a + 1, a + 1 + length, a + length], 1)])
    return SurfaceFields(vertices, triangles)


def test_distances_run_along_edges() -> None:
    sources = np.zeros(22, np.bool_)
    sources[[0, 11]] = True
    assert strip().distance(sources)[:11] == pytest.approx(np.arange(11.0))
    assert np.isinf(strip().distance(sources, limit=3.5)[5])
    assert np.isinf(strip().distance(np.zeros(22, np.bool_))).all()


def test_a_membrane_is_straight_between_its_ends() -> None:
    values, weight = np.zeros((22, 1)), np.zeros(22)
    values[[10, 21]] = 1.0
    weight[[0, 11, 10, 21]] = 1.0
    found = strip().spread(values, weight, 1e-4)[:11, 0]
    assert found == pytest.approx(np.linspace(0.0, 1.0, 11), abs=0.03)


def test_stiffness_smooths_noise() -> None:
    noise = np.random.default_rng(0).normal(size=(22, 1))
    rough = strip().spread(noise, np.ones(22), 1e-6)
    smooth = strip().spread(noise, np.ones(22), 30.0)
    assert rough == pytest.approx(noise, abs=1e-3)
    assert smooth.std() < 0.4 * noise.std()


def test_smoothstep_has_its_ends() -> None:
    assert smoothstep(np.array([-1.0, 0.0, 0.5, 1.0, 2.0]), 0.0, 1.0) == pytest.approx([0.0, 0.0, 0.5, 1.0, 1.0])
