"""What a photo shows around its crop is carried onto the head, and heads are empty where it shows the background."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from geoinv.conventions import AROUND, AROUND_SIZE
from geoinv.heads import DetailedHead, PhotoAround
from geoinv.heads.families import detailed_head
from geoinv.models.source_view import SourceView
from tests.heads.test_outline import camera, in_haze, photo_of
from tests.tiny_models import tiny_details

HEAD = in_haze(13.0)
SIDE = HEAD.generator.config.resolution
WIDE = camera().zoomed(1.0 / AROUND)
CROP = slice(AROUND_SIZE // 6, AROUND_SIZE - AROUND_SIZE // 6)


def around(person: Tensor | None = None, color: tuple[float, float, float] = (0.2, 0.7, 0.4)) -> PhotoAround:
    """A picture of one colour, in which the person is everywhere unless said otherwise."""
    whole = torch.ones(1, 1, AROUND_SIZE, AROUND_SIZE)
    photo = torch.tensor(color)[None, :, None, None].expand(1, 3, AROUND_SIZE, AROUND_SIZE)
    return PhotoAround(photo, whole if person is None else person, whole)


def detailed(beside: PhotoAround | None, source: SourceView | None = None) -> DetailedHead:
    source = source or photo_of(HEAD, torch.ones(1, 1, SIDE, SIDE))
    head = detailed_head(HEAD, tiny_details(HEAD.generator.config), source, around=beside)
    assert isinstance(head, DetailedHead)
    return head


def beside_crop(picture: Tensor) -> Tensor:
    """[C, N] pixels of a view of as much as the picture around the crop shows, at least two beside the crop."""
    side = picture.shape[-1]
    ticks = (torch.arange(side) + 0.5) / side
    away = ((ticks - 0.5).abs() - 0.5 / AROUND).clamp(min=0.0)
    mask = torch.maximum(away[:, None], away[None]) > 2.0 / side
    return picture[0][:, mask]


def test_views_show_what_the_photo_shows_beside_the_crop() -> None:
    view = detailed(around()).view(WIDE)
    without = detailed(None).view(WIDE)
    alpha = beside_crop(view.alpha)[0]
    solid = alpha > 0.98
    assert solid.sum() > 10
    wanted = torch.tensor([0.2, 0.7, 0.4])[:, None]

    def error(color: Tensor) -> float:
        return float((beside_crop(color) / alpha.clamp(min=0.1) - wanted).abs()[:, solid].median())

    assert error(view.color) < 0.4 * error(without.color)


def test_the_crop_itself_looks_as_before() -> None:
    inner = slice(SIDE // 8, -SIDE // 8)
    view, without = (detailed(beside).view(camera()).color[..., inner, inner] for beside in (around(), None))
    assert float((view - without).abs().mean()) < 0.02


def test_heads_are_empty_where_the_background_is_beside_the_crop() -> None:
    person = torch.zeros(1, 1, AROUND_SIZE, AROUND_SIZE)
    person[..., CROP, CROP] = 1.0
    whole, cut = detailed(around()).view(WIDE), detailed(around(person)).view(WIDE)
    assert float(beside_crop(cut.alpha).mean()) < 0.7 * float(beside_crop(whole.alpha).mean())


def test_a_padded_part_shows_nothing() -> None:
    full = around(color=(1.0, 0.0, 1.0))
    padded = PhotoAround(full.photo, full.person, torch.zeros_like(full.inside))
    padded.inside[..., CROP, CROP] = 1.0
    view, without = detailed(padded).view(WIDE), detailed(None).view(WIDE)
    assert float((beside_crop(view.color) - beside_crop(without.color)).abs().median()) < 0.05


@pytest.mark.parametrize("batch", [2])
def test_heads_of_several_photos(batch: int) -> None:
    from geoinv.heads import AnchoredHead

    w_plus = HEAD.w_plus.expand(batch, -1, -1)
    heads = AnchoredHead(HEAD.generator, w_plus)
    cameras = camera().expand(batch)
    seen = heads.view(cameras)
    source = SourceView.from_photo(torch.rand(batch, 3, SIDE, SIDE), torch.ones(batch, 1, SIDE, SIDE), seen)
    one = around()
    both = PhotoAround(*(part.expand(batch, -1, -1, -1) for part in (one.photo, one.person, one.inside)))
    head = detailed_head(heads, tiny_details(HEAD.generator.config), source, around=both)
    assert head.view(cameras).color.shape[0] == batch
