"""What the loss rewards and what it does not, and what tuning must leave alone."""

from __future__ import annotations

import copy

import pytest
import torch

from geoinv.heads import PlainHead
from geoinv.images.tensors import GREY
from geoinv.inversion.optimise.locality import Locality
from geoinv.inversion.optimise.objective import HeadObjective, LossWeights
from geoinv.inversion.optimise.photo_target import PhotoTarget
from geoinv.inversion.optimise.refine import HeadEstimate
from geoinv.models.generator import TriPlaneGenerator
from tests.inversion.tiny_heads import head_of, picture_of, target_of, tiny_generator

WEIGHTS = LossWeights(likeness=0.0)


def with_density(bias: float) -> TriPlaneGenerator:
    generator = copy.deepcopy(tiny_generator())
    with torch.no_grad():
        generator.decoder.net[-1].bias[0] = bias
    return generator


@torch.no_grad()
def loss_of(target: PhotoTarget, generator: TriPlaneGenerator, weights: LossWeights = WEIGHTS, seed: int = 2) -> float:
    """Of a head, where inversion started from the dense head of seed 2."""
    base, start = tiny_generator(), head_of(tiny_generator(), 2)
    objective = HeadObjective(PlainHead(base, start.w_plus), start.camera, target, weights)
    head = head_of(generator, seed)
    return objective.loss(PlainHead(generator, head.w_plus), start.camera, is_check=True).item()


def test_the_photos_own_head_costs_nothing() -> None:
    target = target_of(picture_of(tiny_generator(), head_of(tiny_generator(), 2)))
    assert loss_of(target, tiny_generator()) == pytest.approx(0.0, abs=1e-3)
    assert loss_of(target, tiny_generator(), seed=1) > 1e-3


def test_a_head_cannot_vanish_into_its_background() -> None:
    """A photo of nothing but grey is matched best by no head at all; that must not pay."""
    target = target_of(torch.full((1, 3, 16, 16), GREY))
    vanished = loss_of(target, with_density(-60.0))
    assert vanished > 0.9 * (WEIGHTS.outline * 0.8 + WEIGHTS.shape * 0.5)
    assert vanished > loss_of(target, with_density(-60.0), LossWeights(likeness=0.0, outline=0.0, shape=0.0)) + 0.05


@torch.no_grad()
def test_pixels_outside_the_head_do_not_count() -> None:
    generator, head = tiny_generator(), head_of(tiny_generator(), 2)
    far = HeadEstimate(head.w_plus, head.camera + torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0, -2.5]))  # room at the edges
    shown, picture = PlainHead(generator, far.w_plus), picture_of(generator, far)

    def objective_of(photo: torch.Tensor) -> HeadObjective:
        return HeadObjective(shown, far.camera, target_of(photo), WEIGHTS)

    objective = objective_of(picture)
    is_outside = ((objective.start_alpha < 0.5) & ~objective.target.is_face).reshape(16, 16)
    assert 10 < is_outside.sum() < 200
    other = torch.where(is_outside, 1.0 - 0.5 * picture, picture)
    losses = [each.loss(shown, far.camera, is_check=True).item() for each in (objective, objective_of(other))]
    assert losses[0] == losses[1]


@torch.no_grad()
def test_padding_does_not_count() -> None:
    """The photo ends at the middle of its face, and what is beyond it is padding."""
    generator, head = tiny_generator(), head_of(tiny_generator(), 2)
    picture, face, inside = picture_of(generator, head), torch.ones(16, 16), torch.ones(16, 16)
    inside[:, 8:] = 0.0
    shown = PlainHead(generator, head.w_plus)

    def loss_of_photo(photo: torch.Tensor, inside: torch.Tensor | None) -> float:
        target = PhotoTarget.from_picture(photo, face, 16, inside=inside)
        objective = HeadObjective(shown, head.camera, target, LossWeights())
        return objective.loss(shown, head.camera, is_check=True).item()

    other = torch.where(inside > 0.0, picture, 1.0 - picture)
    assert loss_of_photo(other, inside) == loss_of_photo(picture, inside)
    assert loss_of_photo(other, None) > loss_of_photo(picture, None) + 0.01


class TestLocality:
    def test_nothing_changed(self):
        generator, pivot = tiny_generator(), head_of(tiny_generator(), 1)
        locality = Locality(generator, PlainHead(generator, pivot.w_plus), pivot.camera, seed=0)
        assert locality.side_views(PlainHead(generator, pivot.w_plus)).item() == pytest.approx(0.0, abs=1e-9)
        assert locality.near_heads(generator).item() == pytest.approx(0.0, abs=1e-9)

    def test_a_change_is_seen(self):
        generator, pivot = tiny_generator(), head_of(tiny_generator(), 1)
        locality = Locality(generator, PlainHead(generator, pivot.w_plus), pivot.camera, seed=0)
        thin = with_density(-60.0)
        assert locality.side_views(PlainHead(thin, pivot.w_plus)).item() > 0.1
        assert locality.near_heads(thin).item() > 0.1
