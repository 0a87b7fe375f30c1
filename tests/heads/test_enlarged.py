"""Heads in larger pictures: the photo's own pixels where it sees the head, the generator's enlarged elsewhere."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from geoinv.heads import DetailedHead, Edit, EnlargedHead, PlainHead
from tests.dense_heads import YAW, camera, code_of, dense_generator, source_of
from tests.tiny_models import tiny_details

SIDE = 64  # twice that of the tiny generator


@pytest.fixture(scope="module")
def head() -> DetailedHead:
    generator = dense_generator()
    plain = PlainHead(generator, code_of(generator))
    return DetailedHead(plain, tiny_details(), source_of(plain))


def photo_of(seed: int = 5) -> Tensor:
    return torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def enlarged(head: DetailedHead, photo: Tensor, person: float = 1.0, inside: Tensor | None = None) -> EnlargedHead:
    whole = torch.ones(1, 1, SIDE, SIDE)
    return EnlargedHead(head, photo, person * whole, whole if inside is None else inside)


def surely_seen(head: EnlargedHead, view: Tensor) -> Tensor:
    """[1, 1, S, S] where a view of the photo's camera shows the photo to the full."""
    rays, edited = head.head.rays_of(head.head.plain.view(camera()))
    return head._places_in_photo(rays, head.head.seen_in_photo(rays, edited))[1] > 0.999


def test_the_photo_itself_comes_back_in_its_own_view(head: DetailedHead) -> None:
    photo = photo_of()
    large = enlarged(head, photo)
    shown = large.view(camera())
    seen = surely_seen(large, shown.color)
    assert seen.float().mean() > 0.2
    assert torch.allclose((shown.color)[seen.expand_as(photo)], (photo * shown.alpha)[seen.expand_as(photo)], atol=2e-3)


def test_without_anything_of_the_person_it_is_the_head_enlarged(head: DetailedHead) -> None:
    shown, small = enlarged(head, photo_of(), person=0.0).view(camera(YAW)), head.view(camera(YAW))
    larger = F.interpolate(small.color, (SIDE, SIDE), mode="bicubic", align_corners=False).clamp(0.0, 1.0)
    assert torch.equal(shown.color, torch.minimum(larger, shown.alpha))
    assert torch.equal(shown.depth, small.depth)


def test_other_views_show_the_photo_where_it_sees_them(head: DetailedHead) -> None:
    first, second = enlarged(head, photo_of(1)).view(camera(YAW)), enlarged(head, photo_of(2)).view(camera(YAW))
    differs = (first.color - second.color).abs().amax(dim=1)
    assert 0.05 < (differs > 0.02).float().mean() < 0.95


def test_nothing_comes_from_beyond_the_photos_edges(head: DetailedHead) -> None:
    padded = torch.ones(1, 1, SIDE, SIDE)
    padded[..., : SIDE // 2] = 0.0  # the left half of the aligned photo is padding
    first, second = (enlarged(head, photo_of(seed), inside=padded).view(camera()).color for seed in (1, 2))
    assert torch.equal(first[..., : SIDE // 2 - 2], second[..., : SIDE // 2 - 2])
    assert not torch.equal(first, second)


def test_an_edit_moves_what_the_photo_shows(head: DetailedHead) -> None:
    """The photo is compared with the head before the edit; after one that changes nothing all is as it was."""
    plain, photo = head.plain, photo_of()
    same = DetailedHead(plain, head.branch, head.source, edit=Edit(plain.w_plus, plain.w_plus))
    before, after = (enlarged(each, photo).view(camera()).color for each in (head, same))
    assert torch.allclose(before, after, atol=1e-4)
    other = code_of(plain.generator, seed=7)
    edit = Edit(plain.w_plus, other)
    edited = DetailedHead(PlainHead(plain.generator, other), head.branch, head.source, edit=edit)
    assert edited.unedited.plain.w_plus is plain.w_plus
    assert torch.isfinite(enlarged(edited, photo).view(camera(YAW)).color).all()
