"""Placing a detector's points on the head model: places that are known come back, whatever some sightings say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from geoinv.camera import CameraPose, project
from geoinv.conventions import CROP_SIZE, FACE_ORBIT, FOCAL, MM_PER_UNIT
from geoinv.shape import HeadCodes, HeadModel, load_head_model
from geoinv.synth.detector_map import detector_habits, place_points, placement_errors
from geoinv.synth.detector_sightings import YAWS_DEG, Sightings
from geoinv.synth.shape_basis import ModelMesh

CHEEK, NOSE, CHIN, TEMPLE = 205, 4, 199, 162
POINTS = [CHEEK, NOSE, CHIN, TEMPLE]
"""Of MediaPipe's points, some whose places are looked for."""


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head_model()


@pytest.fixture(scope="module")
def mesh(head: HeadModel) -> ModelMesh:
    arrays = (head.base_vertices, head.corner_vertices, head.corner_triangles)
    return ModelMesh(*(a.numpy().astype(np.int32) for a in arrays), head.uvs.numpy(), tuple(head.parts.values()))


@pytest.fixture(scope="module")
def sightings(head: HeadModel) -> Sightings:
    """12 heads at all yaws: points 2 pixels of 512 beside their places, those of every eighth view wholly astray."""
    random = torch.Generator().manual_seed(0)
    heads = 12
    identity = torch.randn(heads, head.identity_size, generator=random)
    vertices, normals = head(replace(HeadCodes.zeros(head.identity_size, heads), identity=identity))
    numbers = torch.arange(heads).repeat_interleave(len(YAWS_DEG))
    yaw = torch.deg2rad(torch.tensor(YAWS_DEG, dtype=torch.float32)).repeat(heads)
    vector = torch.cat([yaw[:, None], 0.1 * torch.randn(len(yaw), 1, generator=random), torch.zeros(len(yaw), 4)], 1)
    cameras = CameraPose.from_vector(vector).cam2world(FACE_ORBIT)
    places = head.landmarks468.on(vertices)[numbers][:, POINTS]
    seen = project(places, cameras, focal=FOCAL)[0] + 2.0 / CROP_SIZE * torch.randn(
        len(yaw), len(POINTS), 2, generator=random
    )
    seen[::8] += 0.1
    arrays = (vertices, normals, numbers, cameras, yaw, seen)
    return Sightings(*(a.numpy() for a in arrays))


class TestPlacePoints:
    def test_known_places_come_back(self, head: HeadModel, mesh: ModelMesh, sightings: Sightings) -> None:
        triangles, weights = place_points(sightings, mesh)
        found = head.surface_points(torch.from_numpy(triangles).long(), torch.from_numpy(weights)).on(head.mean)
        errors = (found - head.landmarks468.on(head.mean)[POINTS]).norm(dim=-1) * MM_PER_UNIT
        assert float(errors.max()) < 1.5
        np.testing.assert_allclose(weights.sum(1), 1.0, atol=1e-5)
        assert weights.min() >= -1e-6

    def test_offset_by_yaw_is_found(self, head: HeadModel, mesh: ModelMesh, sightings: Sightings) -> None:
        points = head.landmarks468
        triangles, weights = points.triangles.numpy()[POINTS], points.weights.numpy()[POINTS]
        shifted = sightings.landmarks + 0.02 * sightings.yaw_rad[:, None, None] * np.array([1.0, 0.0])
        habits = detector_habits(replace(sightings, landmarks=shifted), mesh, triangles, weights)
        expected = 0.02 * habits.yaw_rad[:, None].expand(-1, len(POINTS))
        torch.testing.assert_close(habits.offset[..., 0], expected, atol=4.0 / CROP_SIZE, rtol=0.0)
        assert float(habits.offset[..., 1].abs().max()) * CROP_SIZE < 3.0

    def test_deviation_is_the_noise_that_was_added(
        self, head: HeadModel, mesh: ModelMesh, sightings: Sightings
    ) -> None:
        points = head.landmarks468
        triangles, weights = points.triangles.numpy()[POINTS], points.weights.numpy()[POINTS]
        errors = np.linalg.norm(placement_errors(sightings, mesh, triangles, weights), axis=-1) * CROP_SIZE
        assert errors[0].min() > 50.0 and np.median(errors) == pytest.approx(2.0 * 1.177, rel=0.15)
        habits = detector_habits(sightings, mesh, triangles, weights)
        assert habits.deviation.shape == (len(YAWS_DEG), len(POINTS))
        assert float(habits.deviation.median()) * CROP_SIZE == pytest.approx(2.0, rel=0.25)
        assert float(habits.yaw_rad[0]) == pytest.approx(np.radians(-80.0))
