"""Rays of toons: those of the head where nothing is larger, and through the same places where something is."""

from __future__ import annotations

import numpy as np
import torch

from geoinv.camera import rays_through
from geoinv.models.generator import TriPlaneGenerator
from geoinv.models.latent_space import LatentSpace
from geoinv.training.data.toon_rays import ToonViews, average_landmarks, random_views, toon_rays
from geoinv.training.data.toon_shape import ToonProportions, ToonShape
from tests.tiny_models import tiny_config

from .test_toon_shape import AS_THEY_ARE


def generator_and_views() -> tuple[TriPlaneGenerator, ToonViews]:
    torch.manual_seed(0)
    generator = TriPlaneGenerator(tiny_config()).requires_grad_(False)
    with torch.no_grad():
        generator.decoder.net[-1].bias[0] = 60.0
    return generator, random_views(generator, np.random.default_rng(0), heads=2, views=2, rays_per_view=30)


def codes(generator: TriPlaneGenerator, views: ToonViews) -> torch.Tensor:
    size = generator.config.w_dim
    return views.w_plus(generator, LatentSpace(torch.zeros(size), torch.eye(size)))


def test_views_are_the_same_for_a_seed() -> None:
    first, second = generator_and_views()[1], generator_and_views()[1]
    assert torch.equal(first.pixels, second.pixels) and torch.equal(first.z, second.z)
    assert first.pixels.shape == (2, 2, 30, 2) and first.cam2world.shape == (2, 2, 4, 4)


def test_rays_of_the_head_where_nothing_is_larger() -> None:
    generator, views = generator_and_views()
    w_plus = codes(generator, views)
    made = toon_rays(generator, w_plus, views, AS_THEY_ARE)
    origins, directions = rays_through(
        views.cam2world.flatten(0, 1), views.pixels.flatten(0, 1), focal=generator.config.orbit.focal
    )
    assert torch.allclose(made.rays.directions, directions.reshape(2, -1, 3), atol=1e-5)
    seen = generator.render_rays(generator.planes(w_plus), origins.reshape(2, -1, 3), directions.reshape(2, -1, 3))
    assert torch.allclose(made.features, seen.features[..., 3:])
    hit = seen.alpha > 0.5
    assert torch.allclose(made.rays.distance[hit], seen.distance[hit], atol=1e-5)
    assert (made.rays.distance[~hit] == 0.0).all()


def test_rays_of_toons_meet_what_rays_of_the_head_meet() -> None:
    generator, views = generator_and_views()
    w_plus, proportions = codes(generator, views), ToonProportions()
    head = toon_rays(generator, w_plus, views, AS_THEY_ARE).rays
    toon = toon_rays(generator, w_plus, views, proportions).rays
    met, shown = (rays.origins + rays.directions * rays.distance[..., None] for rays in (head, toon))
    hit = head.distance > 0.0
    assert (met - shown)[hit].abs().max() > 0.005
    assert torch.allclose(
        ToonShape(generator, w_plus, average_landmarks(), proportions).on_head(shown)[hit], met[hit], atol=3e-3
    )
