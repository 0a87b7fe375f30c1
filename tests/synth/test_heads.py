"""HeadRenderer; skipped where the CC0 assets, moderngl or EGL are absent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from geoinv.camera import CameraPose, rays_through
from geoinv.conventions import FACE_ORBIT, FOCAL
from geoinv.errors import MissingDependencyError
from geoinv.light import shaded_color
from geoinv.synth import HeadSampler

FRONT = CameraPose.from_angles(0.0).cam2world(FACE_ORBIT)[0].numpy()


@pytest.fixture(scope="module")
def renderer():  # type: ignore[no-untyped-def]
    from geoinv.synth.heads import HeadRenderer

    try:
        return HeadRenderer(None, resolution=96, supersample=2)
    except MissingDependencyError as error:
        pytest.skip(error.message)


class TestHeadRenderer:
    def test_view_is_consistent(self, renderer) -> None:  # type: ignore[no-untyped-def]
        sampler = HeadSampler()
        head = renderer.build(sampler(np.zeros(sampler.z_dim)))
        view = renderer.render(head, FRONT)
        alpha = view.rgba[..., 3]
        assert alpha[0, 0] == 0 and alpha[48, 48] == 255
        assert 2.2 < view.depth[48, 48] < 2.6 and view.depth[0, 0] == 0
        lengths = np.linalg.norm(view.normals[alpha == 255], axis=-1)
        np.testing.assert_allclose(lengths, 1.0, atol=1e-3)
        assert view.normals[48, 48, 2] > 0.5  # the face looks to +z

    def test_depth_is_that_of_the_landmark(self, renderer) -> None:  # type: ignore[no-untyped-def]
        sampler = HeadSampler()
        head = renderer.build(sampler(np.zeros(sampler.z_dim)))
        view = renderer.render(head, FRONT)
        x, y = view.landmarks5[2]  # nose tip
        depth = float(view.depth[int(y * 96), int(x * 96)])
        origin, ray = rays_through(torch.tensor(FRONT)[None], torch.tensor([[[float(x), float(y)]]]), focal=FOCAL)
        nose = origin[0, 0] + ray[0, 0] * depth / float(ray[0, 0] @ torch.tensor(FRONT[:3, 2]))
        np.testing.assert_allclose(nose.numpy(), head.shape.landmarks[30], atol=0.006)

    def test_landmarks_are_on_the_right_sides(self, renderer) -> None:  # type: ignore[no-untyped-def]
        sampler = HeadSampler()
        left_eye, right_eye, nose, left_mouth, right_mouth = renderer.render(
            renderer.build(sampler(np.zeros(sampler.z_dim))), FRONT
        ).landmarks5
        assert left_eye[0] < nose[0] < right_eye[0] and left_mouth[0] < right_mouth[0]
        assert left_eye[1] < nose[1] < left_mouth[1]

    def test_expression_does_not_move_the_head(self, renderer) -> None:  # type: ignore[no-untyped-def]
        sampler = HeadSampler()
        z = np.random.default_rng(0).standard_normal(sampler.z_dim)
        z[sampler.index("mouth-open")] = -2.0
        closed = renderer.build(sampler(z)).shape
        z[sampler.index("mouth-open")] = 3.0
        opened = renderer.build(sampler(z)).shape
        assert closed.scale == opened.scale
        np.testing.assert_allclose(closed.landmarks[27], opened.landmarks[27], atol=2e-3)
        assert closed.landmarks[8, 1] - opened.landmarks[8, 1] > 0.01

    def test_colour_is_albedo_times_light(self, renderer) -> None:  # type: ignore[no-untyped-def]
        """Of heads without gloss and without a sharp lamp, from the front and from behind."""
        sampler = HeadSampler()
        z = np.random.default_rng(1).standard_normal(sampler.z_dim)
        z[sampler.index("light-contrast")], z[sampler.index("glasses")] = -1.0, 0.0
        parameters = replace(sampler(z), gloss=0.0)
        assert not parameters.light.lamp.any()
        for yaw in (0.4, 2.8):
            view = renderer.render(
                renderer.build(parameters), CameraPose.from_angles(yaw).cam2world(FACE_ORBIT)[0].numpy()
            )
            whole = view.rgba[..., 3] == 255
            normals, albedo = (torch.from_numpy(image[whole])[None] for image in (view.normals, view.albedo))
            expected = shaded_color(albedo / 255.0, torch.from_numpy(parameters.light.total).float()[None], normals)
            error = np.abs(expected.clamp(0.0, 1.0)[0].numpy() * 255.0 - view.rgba[whole][:, :3]).max(axis=-1)
            assert np.median(error) < 1.5 and np.percentile(error, 90) < 8.0

    def test_albedo_knows_no_light(self, renderer) -> None:  # type: ignore[no-untyped-def]
        sampler = HeadSampler()
        z = np.random.default_rng(1).standard_normal(sampler.z_dim)
        views = []
        for name in ("light-azimuth", "exposure", "light-contrast"):
            z[sampler.index(name)] += 1.5
            views.append(renderer.render(renderer.build(sampler(z)), FRONT))
        assert all((view.albedo == views[0].albedo).all() for view in views)
        assert (views[0].rgba != views[1].rgba).any() and (views[1].rgba != views[2].rgba).any()

    def test_a_broad_smile_shows_white_teeth(self, renderer) -> None:  # type: ignore[no-untyped-def]
        sampler = HeadSampler()
        white = []
        for smile in (-1.0, 2.5):
            z = np.zeros(sampler.z_dim)
            z[sampler.index("smile")], z[sampler.index("mouth-open")], z[sampler.index("teeth-color")] = (
                smile,
                -1.0,
                -2.0,
            )
            view = renderer.render(renderer.build(sampler(z)), FRONT)
            left, top = (view.landmarks68[48:].min(0) * 96).astype(int)
            right, bottom = (view.landmarks68[48:].max(0) * 96).astype(int) + 1
            mouth = view.albedo[top:bottom, left:right].astype(int)
            white.append(int(((mouth.min(-1) > 120) & (np.ptp(mouth, axis=-1) < 50)).sum()))
        assert white[0] == 0 and white[1] >= 10

    def test_pupils_are_life_sized(self, renderer) -> None:  # type: ignore[no-untyped-def]
        sampler, rng = HeadSampler(), np.random.default_rng(3)
        for z in rng.standard_normal((30, sampler.z_dim)):
            right, left = (c for c, _ in renderer.geometry.eye_frames(renderer.build(sampler(z)).shape))
            assert 52.0 < 370.0 * float(np.linalg.norm(left - right)) < 74.0

    def test_heads_do_not_depend_on_what_was_drawn_before(self, renderer) -> None:  # type: ignore[no-untyped-def]
        sampler, rng = HeadSampler(), np.random.default_rng(4)
        heads = [renderer.build(sampler(z)) for z in rng.standard_normal((3, sampler.z_dim))]
        first = renderer.render(heads[0], FRONT).rgba
        renderer.render(heads[1], FRONT)
        renderer.render(heads[2], FRONT)
        np.testing.assert_array_equal(first, renderer.render(heads[0], FRONT).rgba)

    def test_covered_pixels_have_depth(self, renderer) -> None:  # type: ignore[no-untyped-def]
        sampler, rng = HeadSampler(), np.random.default_rng(6)
        for z in rng.standard_normal((6, sampler.z_dim)):
            z[sampler.index("sex")], z[sampler.index("hair-female") + 1] = -2.0, 6.0  # long hair has faint strands
            view = renderer.render(renderer.build(sampler(z)), FRONT)
            assert np.array_equal(view.depth > 0, view.rgba[..., 3] > 0)
