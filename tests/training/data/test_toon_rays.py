"""Rays of toons: their heads blink and speak, and have the colours of cartoons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from geoinv.camera import rays_through
from geoinv.models.anchored_generator import AnchoredGenerator
from geoinv.models.latent_space import LatentSpace
from geoinv.ops.anchored_rays import read_anchor
from geoinv.shape import ARKIT_UNITS
from geoinv.training.data.toon_colors import ToonColors
from geoinv.training.data.toon_rays import ToonViews, random_views, toon_rays
from tests.tiny_models import tiny_anchored_config


@pytest.fixture(scope="module")
def generator() -> AnchoredGenerator:
    torch.manual_seed(0)
    return AnchoredGenerator(tiny_anchored_config()).requires_grad_(False)


def views_of(generator: AnchoredGenerator) -> ToonViews:
    return random_views(generator, np.random.default_rng(0), heads=3, views=2, rays_per_view=30)


def codes(generator: AnchoredGenerator, views: ToonViews) -> torch.Tensor:
    size = generator.config.w_dim
    return views.w_plus(generator, LatentSpace(torch.zeros(size), torch.eye(size)))


def test_views_are_the_same_for_a_seed(generator: AnchoredGenerator) -> None:
    first, second = views_of(generator), views_of(generator)
    assert torch.equal(first.pixels, second.pixels) and torch.equal(first.moves, second.moves)
    assert first.pixels.shape == (3, 2, 30, 2) and first.cam2world.shape == (3, 2, 4, 4)


def test_some_heads_blink_and_some_open_their_mouths(generator: AnchoredGenerator) -> None:
    views = random_views(generator, np.random.default_rng(1), heads=40, views=1, rays_per_view=5)
    left, right, jaw = (
        views.moves[:, ARKIT_UNITS.index(unit)] for unit in ("eyeBlinkLeft", "eyeBlinkRight", "jawOpen")
    )
    assert torch.equal(left, right)
    assert 4 < (left > 0.0).sum() < 30 and 4 < (jaw > 0.0).sum() < 30
    assert (views.moves > 0.0).any(dim=0).sum() == 3


def test_heads_do_at_least_what_is_asked(generator: AnchoredGenerator) -> None:
    views = views_of(generator)
    asked = replace(views, moves=torch.full_like(views.moves, 0.3))
    w_plus = codes(generator, asked)
    own = generator.shape_codes(w_plus)
    shown = asked.heads(generator, w_plus).codes
    assert torch.equal(shown.expression, own.expression.clamp_min(0.3)) and torch.equal(shown.identity, own.identity)


def test_rays_show_cartoons_of_what_the_head_shows(generator: AnchoredGenerator) -> None:
    views = views_of(generator)
    w_plus = codes(generator, views)
    heads, colors = views.heads(generator, w_plus), ToonColors(generator)
    made = toon_rays(generator, colors, w_plus, heads, views)
    origins, directions = (
        part.reshape(3, -1, 3)
        for part in rays_through(
            views.cam2world.flatten(0, 1), views.pixels.flatten(0, 1), focal=generator.config.orbit.focal
        )
    )
    assert torch.allclose(made.rays.directions, directions, atol=1e-6)
    seen = generator.render_rays(heads.rays, origins.contiguous(), directions.contiguous())
    hit = seen.alpha > 0.5
    assert 0.2 < hit.float().mean() < 1.0
    assert torch.equal(made.rays.distance > 0.0, hit) and torch.equal(made.rays.alpha, seen.alpha)
    met = origins + directions * seen.distance[..., None]
    straight = seen.features[..., :3] / seen.alpha[..., None].clamp_min(1e-3)
    wanted = colors.of(heads)(met, straight.clamp(0.0, 1.0)) * seen.alpha[..., None]
    assert torch.allclose(made.rays.color[hit], wanted[hit], atol=1e-4)
    assert torch.allclose(made.rays.color[~hit], seen.features[..., :3][~hit], atol=1e-4)
    smooth = read_anchor(heads.rays.volumes, met)[..., 4:7] * seen.alpha[..., None]
    assert torch.allclose(made.features[..., 1:][hit], smooth[hit], atol=1e-4)
    assert bool((made.features[..., 0] < seen.features[..., 3])[hit].all())  # less gloss
