"""Between open lips views show teeth, tongue and throat as the mesh has them; closed lips hide all of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from geoinv.camera import Camera, CameraPose
from geoinv.conventions import FACE_ORBIT, MM_PER_UNIT
from geoinv.heads import AnchoredHead, DetailedHead, Edit
from geoinv.heads.inner_mouth import InnerMouth
from geoinv.heads.tone import tone_of_teeth
from geoinv.models.anchored_generator import AnchoredGenerator
from geoinv.models.drawn_surface import DrawnSurface
from geoinv.models.source_view import SourceView
from geoinv.shape import HeadCodes, expression_code, load_head_model
from tests.tiny_models import tiny_anchored_config, tiny_details

WHITE = torch.zeros(1, 9, 3)
WHITE[:, 0] = 3.5449077
CLOSED = replace(HeadCodes.zeros(96), expression=expression_code({"mouthClose": 0.1}))
OPEN = replace(HeadCodes.zeros(96), expression=expression_code({"jawOpen": 0.8}))
SIDE = 128


def camera(yaw_rad: float = 0.0) -> Camera:
    return CameraPose.from_angles(yaw_rad).camera(FACE_ORBIT)


def close_up() -> Camera:
    """A lens that shows the face alone."""
    return camera().zoomed(1.6)


def mouth(codes: HeadCodes) -> InnerMouth:
    model = load_head_model()
    return InnerMouth(model, model.vertices(codes)[0])


@pytest.fixture(scope="module")
def opened() -> DrawnSurface:
    drawn = mouth(OPEN).drawn(camera(), SIDE)
    assert drawn is not None
    return drawn


@pytest.fixture(scope="module")
def generator() -> AnchoredGenerator:
    torch.manual_seed(0)
    return AnchoredGenerator(tiny_anchored_config()).eval().requires_grad_(False)


def head_of(generator: AnchoredGenerator, codes: HeadCodes, side: int = SIDE) -> AnchoredHead:
    w_plus = generator.w_avg[None, None].repeat(1, generator.config.num_ws, 1)
    return AnchoredHead(generator, w_plus, codes=codes, light=WHITE).with_rays(side)


def test_closed_lips_hide_it() -> None:
    assert mouth(CLOSED).drawn(camera(), SIDE) is None


def test_nothing_shows_from_behind() -> None:
    assert mouth(OPEN).drawn(camera(3.1416), SIDE) is None


@pytest.mark.parametrize("yaw_rad", [-1.2, 0.0, 0.7, 1.2, 2.2])
def test_it_lies_between_the_lips(yaw_rad: float) -> None:
    """Cheeks and the back of the head hide the mouth behind them."""
    model = load_head_model()
    rims = camera(yaw_rad).project(model.landmarks468.on(model.vertices(OPEN)))[0][0, [13, 14, 78, 308]] * SIDE
    drawn = mouth(OPEN).drawn(camera(yaw_rad), SIDE)
    if drawn is None:
        assert yaw_rad > 2.0
        return
    rows, columns = torch.nonzero(drawn.share[0, 0] > 0.5).unbind(dim=1)
    assert len(rows) > (100 if abs(yaw_rad) < 1.0 else 20)
    assert rows.min() >= rims[:, 1].min() - 1.5 and rows.max() <= rims[:, 1].max() + 1.5
    assert columns.min() >= rims[:, 0].min() - 1.5 and columns.max() <= rims[:, 0].max() + 1.5


def test_a_tongue_that_is_out_is_whole() -> None:
    """From the side it reaches beyond the lips."""
    codes = replace(OPEN, expression=expression_code({"jawOpen": 0.4, "tongueOut": 1.0}))
    model, side = load_head_model(), camera(1.0).zoomed(1.6)
    lips = side.project(model.landmarks468.on(model.vertices(codes)))[0][0, [13, 14, 78, 308], 0].min() * 2 * SIDE
    drawn = mouth(codes).drawn(side, 2 * SIDE)
    assert drawn is not None
    assert torch.nonzero(drawn.share[0, 0] > 0.5)[:, 1].min() < lips - 5.0


def test_teeth_are_pale_before_a_dark_throat(opened: DrawnSurface) -> None:
    inside = opened.share[0, 0] > 0.99
    albedo = (opened.looks[0, :3] / opened.share[0].clamp(min=0.1))[:, inside]
    depth = (opened.depth[0] / opened.share[0].clamp(min=0.1))[0, inside]
    is_tooth, is_throat = albedo.amin(dim=0) > 0.5, albedo.amax(dim=0) < 0.1
    assert is_tooth.float().mean() > 0.04 and is_throat.float().mean() > 0.1
    deeper = depth[is_throat].mean() - depth[is_tooth].mean()
    assert 10.0 < float(deeper) * MM_PER_UNIT < 80.0


def test_views_show_it(generator: AnchoredGenerator, opened: DrawnSurface) -> None:
    view = head_of(generator, OPEN).view(close_up())
    side = view.depth.shape[-1]
    drawn = mouth(OPEN).drawn(close_up(), side)
    assert drawn is not None and view.drawn is not None
    inside = (drawn.share[0, 0] > 0.99) & (view.alpha[0, 0] > 0.99)
    assert inside.sum() > 20
    torch.testing.assert_close(view.composited[0, :, inside], drawn.looks[0, :, inside], atol=0.02, rtol=0.0)
    torch.testing.assert_close(view.depth[0, 0, inside], drawn.depth[0, 0, inside], atol=1e-5, rtol=0.0)
    assert head_of(generator, CLOSED).view(close_up()).drawn is None


def test_one_mouth_for_each_of_several_heads(generator: AnchoredGenerator) -> None:
    codes = HeadCodes(*(torch.cat(parts) for parts in zip(vars(CLOSED).values(), vars(OPEN).values(), strict=True)))
    w_plus = generator.w_avg[None, None].repeat(2, generator.config.num_ws, 1)
    drawn = AnchoredHead(generator, w_plus, codes=codes, light=WHITE.expand(2, -1, -1)).view(camera().expand(2)).drawn
    assert drawn is not None and drawn[0].max() == 0.0 and drawn[1].max() > 0.9


def test_closed_lips_of_a_photo_are_not_carried_into_an_open_mouth(generator: AnchoredGenerator) -> None:
    before, after = head_of(generator, CLOSED, 32), head_of(generator, OPEN, 32)
    seen = before.view(close_up())
    source = SourceView.from_photo(torch.zeros_like(seen.color), torch.ones_like(seen.alpha), seen)
    edit = Edit(before.w_plus, after.w_plus, before.on_mesh)
    detailed = DetailedHead(after, tiny_details(generator.config), source, edit=edit).with_rays(SIDE, alignment="3d")
    plain, shown = detailed.view_pair(close_up())
    assert plain.drawn is not None
    inside = plain.drawn[0, 0] > 0.999
    assert inside.sum() > 20
    change = (shown.color - plain.color).abs()[0]
    assert change[:, inside].median() < 0.01 < change[:, ~inside].median()


def test_the_photos_own_mouth_is_carried_whole(generator: AnchoredGenerator) -> None:
    """Between teeth and throat depth jumps, which on skin means that a photo does not show a place surely."""
    head = head_of(generator, OPEN, 32)
    seen = head.view(close_up())
    photo = (seen.color + 0.3 * seen.alpha).clamp(max=1.0)
    source = SourceView.from_photo(photo, torch.ones_like(seen.alpha), seen)
    plain, shown = DetailedHead(head, tiny_details(generator.config), source).view_pair(close_up())
    assert plain.drawn is not None
    inside = plain.drawn[0, 0] > 0.999
    assert inside.sum() >= 6
    torch.testing.assert_close(shown.color[0, :, inside], photo[0, :, inside], atol=0.03, rtol=0.0)


def test_teeth_take_the_tone_of_those_in_the_photo(generator: AnchoredGenerator) -> None:
    head = head_of(
        generator,
        replace(OPEN, expression=expression_code({"jawOpen": 0.3, "mouthUpperUpLeft": 1.0, "mouthUpperUpRight": 1.0})),
    )
    seen = head.view(close_up())
    yellow = torch.tensor([1.0, 0.9, 0.7])
    photo = seen.color * yellow[:, None, None]
    source = SourceView.from_photo(photo, torch.ones_like(seen.alpha), seen)
    torch.testing.assert_close(tone_of_teeth(seen, source)[0, 0], yellow, atol=0.02, rtol=0.0)
    pink = replace(source, residual=seen.color * torch.tensor([0.0, -0.4, -0.3])[:, None, None])
    assert torch.equal(tone_of_teeth(seen, pink), torch.ones(1, 1, 3))
    closed = head_of(generator, CLOSED).view(close_up())
    assert torch.equal(tone_of_teeth(closed, source), torch.ones(1, 1, 3))
