"""A generator's own samples as heads: what is told of them is what the generator shows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from geoinv.camera import Camera, CameraPose
from geoinv.errors import UsageError
from geoinv.models.generator import TriPlaneGenerator
from geoinv.training.data.head_source import codes_of
from geoinv.training.data.own_samples import OwnSamples, OwnSettings
from geoinv.training.data.photo_batches import PhotoCounts, photo_batch
from geoinv.training.data.view_pairs import head_pairs
from tests.opaque_generator import OTHER_ORBIT, opaque_generator

FEW = OwnSettings(new_per_step=2, known=6, held_out=3)


@pytest.fixture(scope="module")
def generator() -> TriPlaneGenerator:
    return opaque_generator(orbit=OTHER_ORBIT)


@pytest.fixture(scope="module")
def samples(generator: TriPlaneGenerator) -> OwnSamples:
    return OwnSamples(generator, FEW, seed=3)


def test_pictures_are_those_of_the_codes(generator: TriPlaneGenerator, samples: OwnSamples) -> None:
    rgba, depth, cam2world, w = samples.view(0, 1)
    w_plus = torch.from_numpy(w).expand(1, generator.config.num_ws, -1)
    camera = Camera(torch.from_numpy(cam2world)[None], OTHER_ORBIT.focal)
    shown = generator.render(generator.planes(w_plus), camera, w_plus=w_plus)
    assert np.abs(rgba[..., :3] / 255.0 - shown.color[0].permute(1, 2, 0).numpy()).max() < 0.004
    assert (rgba[..., 3] == 255).all()  # the background is the generator's
    solid = depth[::4, ::4] > 0.0
    assert solid.mean() > 0.5
    assert np.abs(depth[::4, ::4] - shown.depth[0, 0].numpy())[solid].max() < 1e-4


def test_cameras_stand_on_the_generators_orbit(samples: OwnSamples) -> None:
    for head in range(len(samples)):
        matrix = torch.from_numpy(samples.view(head, 0)[2])[None].double()
        pose = CameraPose.from_cam2world(matrix, OTHER_ORBIT)
        assert pose.shift.abs().max() < 0.6  # by another orbit's distance it would be
        middle, _ = Camera(matrix, OTHER_ORBIT.focal).project(torch.tensor([[OTHER_ORBIT.pivot]]).double())
        assert (middle - 0.5).abs().max() < 0.15


def test_rays_show_what_is_told_of_them(generator: TriPlaneGenerator, samples: OwnSamples) -> None:
    rays = samples.rays_of(np.random.default_rng(0), [(1, [0, 1]), (2, [1, 0])], rays_per_view=40)
    w_plus = rays.z[:, None].expand(-1, generator.config.num_ws, -1)
    shown = generator.render_rays(generator.planes(w_plus), rays.origins, rays.directions)
    assert (shown.features[..., :3] - rays.color).abs().max() < 2e-3
    assert (shown.alpha - rays.alpha).abs().max() < 2e-3
    hit = rays.distance > 0.0
    assert (shown.distance - rays.distance)[hit].abs().max() < 1e-4
    assert rays.normals is not None
    facing = (rays.normals * rays.directions).sum(dim=-1)
    assert (facing[rays.normals.norm(dim=-1) > 0.5] < 0.2).all()


def test_a_head_is_the_same_whenever_it_is_made(generator: TriPlaneGenerator, samples: OwnSamples) -> None:
    later = OwnSamples(generator, FEW, seed=3)
    later.at_step(2)  # whose first head is number 4
    assert np.array_equal(later.view(0, 0)[0], samples.view(4, 0)[0])
    assert np.array_equal(later.view(0, 0)[3], samples.view(4, 0)[3])
    other = OwnSamples(generator, FEW, seed=4)
    assert not np.array_equal(other.view(0, 0)[3], samples.view(0, 0)[3])
    held_out = OwnSamples.held_out(generator, FEW, seed=3)
    codes = {samples.view(head, 0)[3].tobytes() for head in range(6)}
    assert codes.isdisjoint(held_out.view(head, 0)[3].tobytes() for head in range(len(held_out)))


def test_few_heads_at_first_and_new_ones_with_every_step(generator: TriPlaneGenerator) -> None:
    """Never more to render in a step than are new in it, but for the first."""
    samples = OwnSamples(generator, OwnSettings(new_per_step=2, known=8, known_at_first=4), seed=0)
    windows = []
    for step in range(5):
        samples.at_step(step)
        windows.append((samples._first, samples._end))
    assert windows == [(0, 4), (0, 6), (0, 8), (2, 10), (4, 12)]
    samples.check_enough(6)  # a step that takes more has them from the first
    assert len(samples) == 6
    assert len(OwnSamples.held_out(generator, OwnSettings(held_out=40), seed=0)) == 40


def test_heads_that_left_are_forgotten(generator: TriPlaneGenerator) -> None:
    samples = OwnSamples(generator, FEW, seed=0)
    for head in range(len(samples)):
        samples.view(head, 0)
    samples.at_step(2)
    assert sorted(samples._kept) == [4, 5]
    assert len(samples) == 6


def test_codes_are_truncated(generator: TriPlaneGenerator) -> None:
    def spread(truncation: tuple[float, float]) -> float:
        samples = OwnSamples(generator, OwnSettings(known=8, truncation=truncation), seed=0)
        return float(np.std([samples._draw(number)[0].numpy() - generator.w_avg.numpy() for number in range(8)]))

    assert spread((0.5, 0.5)) == pytest.approx(0.5 * spread((1.0, 1.0)), rel=1e-4)
    assert spread((0.5, 0.5)) < spread((0.5, 1.0)) < spread((1.0, 1.0))


def test_twins_are_seen_by_the_same_cameras(generator: TriPlaneGenerator) -> None:
    samples = OwnSamples(generator, FEW, seed=0, twins=True)
    assert samples.has_twins
    near, far = [], []
    for step in range(8):
        samples.at_step(step)
        first, twin, other = (samples.view(head, 0) for head in range(3))
        assert np.array_equal(first[2], twin[2])
        near.append(np.abs(first[3] - twin[3]).mean())
        far.append(np.abs(first[3] - other[3]).mean())
    assert 0.0 < np.mean(near) < 0.6 * np.mean(far)
    pairs = head_pairs(samples, np.random.default_rng(0), 2, same_view=True, twins=True)
    assert pairs.knows_w and pairs.z is not None
    assert torch.equal(codes_of(generator, pairs.z[:, 0], knows_w=True), pairs.z[:, 0])


def test_landmarks_tell_the_camera(samples: OwnSamples) -> None:
    """They are of points that stay in space, whatever the head."""
    marks, cameras = samples.landmarks_and_cameras(np.random.default_rng(0), 7)
    assert marks.shape == (7, 73, 2)
    again = samples._landmarks_by(cameras)
    assert torch.equal(again, marks)
    own = samples.landmarks(2, 0)
    assert np.array_equal(own, samples._landmarks_by(torch.from_numpy(samples.view(2, 0)[2])[None])[0].numpy())
    assert 0.1 < own.mean() < 0.9


def test_a_batch_knows_codes_and_cameras(samples: OwnSamples) -> None:
    counts = PhotoCounts(photos=4, heads_rendered=2, faces=1, rays_per_view=16, landmark_sets=5)
    batch = photo_batch(samples, np.random.default_rng(0), counts)
    assert batch.knows_w and torch.equal(batch.rays.z, batch.z[:2])
    eyes = CameraPose.from_vector(batch.camera[:2]).cam2world(OTHER_ORBIT)[:, :3, 3]
    assert torch.allclose(batch.rays.origins[:, 0], eyes, atol=1e-4)
    assert batch.pictures.shape == (1, 3, 128, 128) and batch.faces.shape == (1, 3, 32, 32)


def test_more_than_there_are_cannot_be_drawn(samples: OwnSamples) -> None:
    samples.check_enough(6)
    with pytest.raises(UsageError, match="7 own samples, and 6"):
        samples.check_enough(7)
