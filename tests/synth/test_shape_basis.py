"""The basis of the head model, on heads that it was not made from; skipped where the package anny is missing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from geoinv.errors import MissingDependencyError
from geoinv.shape import load_head_model
from geoinv.synth import HeadSampler
from geoinv.synth.assets import find_base_data
from geoinv.synth.geometry import HeadGeometry
from geoinv.synth.head_codes import HeadCoder, reproduction_errors_mm
from geoinv.synth.shape_basis import landmark_triangles, model_mesh

HELD_OUT_SEED = 4711


@pytest.fixture(scope="module")
def geometry() -> HeadGeometry:
    try:
        return HeadGeometry(find_base_data(), [])
    except MissingDependencyError as error:
        pytest.skip(error.message)


def test_shipped_model_has_the_heads_mesh(geometry: HeadGeometry) -> None:
    mesh, head = model_mesh(geometry), load_head_model()
    np.testing.assert_array_equal(head.base_vertices.numpy(), mesh.base_vertices)
    np.testing.assert_array_equal(head.corner_triangles.numpy(), mesh.corner_triangles)
    np.testing.assert_array_equal(head.landmarks68.triangles.numpy(), landmark_triangles(mesh)[0])
    assert head.parts == {part.name: part for part in mesh.parts}


def test_many_shapes_at_once_are_the_same_shapes(geometry: HeadGeometry) -> None:
    sampler, random = HeadSampler(), np.random.default_rng(HELD_OUT_SEED)
    targets = [sampler(random.standard_normal(sampler.z_dim)).targets for _ in range(3)]
    vertices, scales = geometry.shapes_at_rest(targets)
    for head, scale, alone in zip(vertices, scales, (geometry.shape(t, {}) for t in targets), strict=True):
        np.testing.assert_allclose(head, alone.neutral, atol=1e-5)
        assert float(scale) == pytest.approx(alone.scale, rel=1e-5)


def test_unseen_heads_are_reproduced(geometry: HeadGeometry) -> None:
    errors = reproduction_errors_mm(load_head_model(), geometry, 20, HELD_OUT_SEED)
    assert errors.shape == (20, 4191)
    assert float(np.median(errors)) < 0.1  # the bar is 0.5
    assert float(np.percentile(errors, 95)) < 0.6  # the bar is 1.5


def test_landmarks_are_the_samplers(geometry: HeadGeometry) -> None:
    sampler, head = HeadSampler(), load_head_model()
    parameters = sampler(np.random.default_rng(HELD_OUT_SEED).standard_normal(sampler.z_dim))
    shape = geometry.shape(parameters.targets, parameters.expression)
    codes = HeadCoder(head, geometry)(parameters, shape)
    found = head.landmarks68.on(head.vertices(codes))[0]
    torch.testing.assert_close(found, torch.from_numpy(shape.landmarks), atol=5e-3, rtol=0.0)


def test_identity_codes_are_standard_normal(geometry: HeadGeometry) -> None:
    sampler, random = HeadSampler(), np.random.default_rng(HELD_OUT_SEED)
    coder = HeadCoder(load_head_model(), geometry)
    codes = []
    for _ in range(60):
        parameters = sampler(random.standard_normal(sampler.z_dim))
        codes.append(coder(parameters, geometry.shape(parameters.targets, {})).identity[0])
    stacked = torch.stack(codes)
    assert float(stacked.mean().abs()) < 0.1 and float(stacked.std()) == pytest.approx(1.0, abs=0.15)


def test_gaze_is_where_the_iris_is(geometry: HeadGeometry) -> None:
    sampler = HeadSampler()
    z = np.zeros(sampler.z_dim)
    z[sampler.index("gaze-x")], z[sampler.index("gaze-y")] = 1.5, -1.0
    parameters = sampler(z)
    codes = HeadCoder(load_head_model(), geometry)(parameters, geometry.shape(parameters.targets, {}))
    aside, up = codes.gaze[0].tolist()
    # the place of the iris on a unit sphere, which the shader has at (gaze, ...)
    assert np.sin(aside) * np.cos(up) == pytest.approx(parameters.gaze[0]) and np.sin(up) == pytest.approx(
        parameters.gaze[1]
    )
