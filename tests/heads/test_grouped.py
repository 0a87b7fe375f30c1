"""A head with the details of several photos: whose details show where."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from geoinv.camera import Camera
from geoinv.heads import DetailedHead, Edit, GroupedHead, PlainHead, draft_of
from geoinv.models.generator import TriPlaneGenerator
from geoinv.models.source_view import SourceView
from tests.dense_heads import YAW, camera, code_of, dense_generator
from tests.tiny_models import tiny_details


@pytest.fixture(scope="module")
def generator() -> TriPlaneGenerator:
    return dense_generator()


@pytest.fixture(scope="module")
def head(generator: TriPlaneGenerator) -> PlainHead:
    return PlainHead(generator, code_of(generator))


def part(head: PlainHead, seen_by: Camera, seed: int = 2, edit: Edit | None = None) -> DetailedHead:
    photo = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(seed))
    source = SourceView.from_photo(photo, torch.ones(1, 1, 32, 32), head.view(seen_by))
    return DetailedHead(head, tiny_details(), source, edit=edit)


def test_one_photo_is_the_detailed_head(head: PlainHead) -> None:
    alone = part(head, camera())
    assert torch.allclose(GroupedHead([alone]).view(camera(YAW)).color, alone.view(camera(YAW)).color, atol=1e-6)
    points = torch.rand(1, 50, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    for own, others in zip(GroupedHead([alone]).query(points), alone.query(points), strict=True):
        assert torch.allclose(own, others, atol=1e-6)


def test_the_same_photo_twice_is_that_photo_and_the_first_counts_for_more(head: PlainHead) -> None:
    alone, twice = part(head, camera()), GroupedHead([part(head, camera()), part(head, camera())])
    assert torch.allclose(twice.view(camera(YAW)).color, alone.view(camera(YAW)).color, atol=1e-6)
    shares, seen = twice.shares_of(head.view(camera(YAW)))
    assert torch.allclose(shares[0] / shares[1], torch.full_like(shares[0], math.exp(0.75)), rtol=1e-3)
    assert torch.equal(seen[0], seen[1])


def test_each_side_comes_from_the_photo_that_saw_it(head: PlainHead) -> None:
    left, right = camera(1.2), camera(-1.2)
    both = GroupedHead([part(head, left), part(head, right, seed=3)])
    for view, index in ((left, 0), (right, 1)):
        shares, seen = both.shares_of(head.view(view))
        assert torch.allclose(shares.sum(dim=0), torch.ones_like(shares[0]))
        assert shares[index].median() > 0.95
        assert seen[index].mean() > seen[1 - index].mean()
        shown, own, other = (each.view(view).color for each in (both, both.parts[index], both.parts[1 - index]))
        assert (shown - own).abs().mean() < 0.1 * (other - own).abs().mean()


def test_a_view_shows_the_nearest_photo_and_no_mixture(head: PlainHead) -> None:
    """Also where the first sees the same: a photo that is ten degrees nearer is the one that is seen."""
    both = GroupedHead([part(head, camera(0.0)), part(head, camera(0.45), seed=3)])
    for yaw, index in ((0.1, 0), (0.35, 1)):
        view = camera(yaw)
        shares, seen = both.shares_of(head.view(view))
        sees_both = seen.amin(dim=0) > 0.99
        assert sees_both.any()
        assert shares[index][sees_both].min() > 0.95


def test_shape_stays_and_views_one_by_one_are_those_together(head: PlainHead) -> None:
    both = GroupedHead([part(head, camera(0.5)), part(head, camera(-0.5), seed=3)])
    plain, shown = both.view_pair(camera(YAW))
    assert torch.equal(plain.depth, shown.depth)
    assert torch.equal(plain.alpha, shown.alpha)
    cameras = Camera(torch.cat([camera(0.3).cam2world, camera(-0.3).cam2world]), camera().focal)
    alone = torch.cat([both.view(single).color for single in cameras])
    assert torch.allclose(both.view(cameras).color, alone, atol=1e-5)


def test_where_a_photo_shows_another_expression_others_go_first(generator: TriPlaneGenerator) -> None:
    """Both photos see the same from the same place; one of them was of a head of other colours."""
    shown, other = code_of(generator), code_of(generator, 9)
    head = PlainHead(generator, shown)
    same, changed = part(head, camera()), part(head, camera(), edit=Edit(other, shown))
    changed.source = dataclasses.replace(changed.source, color=1.0 - changed.source.color)
    shares = GroupedHead([same, changed]).shares_of(head.view(camera()))[0]
    assert float(shares[0].mean()) > 0.95


def test_a_draft_is_quick(head: PlainHead) -> None:
    both = GroupedHead([part(head, camera(0.5)), part(head, camera(-0.5), seed=3)])
    draft = draft_of(both)
    assert isinstance(draft, GroupedHead)
    assert draft.view(camera()).depth.shape[-1] == 64
    assert all(own.alignment == "3d" for own in draft.parts)
