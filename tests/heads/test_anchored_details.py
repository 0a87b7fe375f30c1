"""A photo's details on the head mesh: they are looked up by the places of the average head, whatever light falls."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from geoinv.camera import CameraPose
from geoinv.conventions import FACE_ORBIT, MM_PER_UNIT
from geoinv.heads import AnchoredHead, DetailedHead, Edit, draft_of
from geoinv.models.anchor import Anchor, head_model_id
from geoinv.models.anchored_generator import AnchoredGenerator
from geoinv.models.config import AnchorConfig
from geoinv.models.local_branch import LocalBranch, QueryRays
from geoinv.models.source_view import SourceView
from geoinv.shape import HeadCodes, Proportions, expression_code, load_head_model
from tests.tiny_models import tiny_anchored_config, tiny_details

WHITE = torch.zeros(1, 9, 3)
WHITE[:, 0] = 3.5449077
REST = HeadCodes.zeros(96)
JAW = replace(REST, expression=expression_code({"jawOpen": 0.8}))


@pytest.fixture(scope="module")
def generator() -> AnchoredGenerator:
    torch.manual_seed(0)
    return AnchoredGenerator(tiny_anchored_config()).eval().requires_grad_(False)


def head_of(generator: AnchoredGenerator, codes: HeadCodes = REST, light: torch.Tensor = WHITE) -> AnchoredHead:
    w_plus = generator.w_avg[None, None].repeat(1, generator.config.num_ws, 1)
    return AnchoredHead(generator, w_plus, codes=codes, light=light)


def source_of(head: AnchoredHead) -> SourceView:
    seen = head.view(camera())
    photo = torch.rand(seen.color.shape, generator=torch.Generator().manual_seed(0))
    return SourceView.from_photo(photo, torch.ones_like(seen.alpha), seen)


def camera(yaw_rad: float = 0.0):
    return CameraPose.from_angles(yaw_rad).camera(FACE_ORBIT)


def test_places_follow_the_mesh(generator: AnchoredGenerator) -> None:
    """Where a vertex is with the mouth open leads back to where it is at rest."""
    model = load_head_model()
    anchor = Anchor(model, AnchorConfig(head_model_id(), look_size=4))
    rest, opened = model.vertices(REST), model.vertices(JAW)
    skin = model.parts["skin"].vertices
    rest, opened = rest[:, skin], opened[:, skin]
    whole = [anchor(model.vertices(codes)) for codes in (JAW, REST)]
    found = generator.same_places(opened, *whole)
    moves = (opened - rest).norm(dim=-1) * MM_PER_UNIT
    moved = moves > 5.0
    left = (found - rest).norm(dim=-1) * MM_PER_UNIT
    assert float(moves[moved].median()) > 8.0
    assert float(left[moved].median()) < 1.0
    assert float(left[~moved].quantile(0.9)) < 1.0


def test_what_the_photo_shows_is_carried_whole(generator: AnchoredGenerator) -> None:
    """Whatever a branch leaves of the photo, where its surface is seen squarely, is in the photo's own view."""
    head = head_of(generator)
    for branch in (LocalBranch(tiny_details(generator.config).config), tiny_details(generator.config)):
        detailed = DetailedHead(head, branch, source_of(head))
        plain, shown = detailed.view_pair(camera())
        photo = torch.rand(shown.color.shape, generator=torch.Generator().manual_seed(0))
        rays, edited = detailed.rays_of(plain)
        sure = detailed.seen_in_photo(rays, edited)[2].reshape(shown.alpha.shape)
        is_sure = ((sure > 0.4) & (plain.alpha > 0.99)).expand(-1, 3, -1, -1)
        assert is_sure.sum() > 60
        left, before = ((photo - view.color).abs() for view in (shown, plain))
        assert before[is_sure].median() > 0.1
        assert (left / (1.0 - sure))[is_sure].median() < 1.1 * before[is_sure].median()
        assert left[is_sure].median() < 0.6 * before[is_sure].median()


def test_views_from_behind_show_nothing_of_the_photos_pixels(generator: AnchoredGenerator) -> None:
    """Photos of one mean tone, with other pixels, give the same back of a head."""
    head = head_of(generator)
    seen = head.view(camera())
    backs = []
    for seed in (0, 1):
        residual = torch.rand(seen.color.shape, generator=torch.Generator().manual_seed(seed)).round() - 0.5
        photo = seen.color + 0.2 * residual * seen.alpha
        source = SourceView.from_photo(photo, torch.ones_like(seen.alpha), seen)
        detailed = DetailedHead(head, tiny_details(generator.config), source)
        backs.append(detailed.view(camera(3.1416)).color)
    fronts = (backs[0] - backs[1]).abs().max()
    assert fronts < 0.03


def test_colours_change_and_the_shape_does_not(generator: AnchoredGenerator) -> None:
    head = head_of(generator)
    detailed = DetailedHead(head, tiny_details(generator.config), source_of(head))
    plain, shown = detailed.view_pair(camera(0.2))
    assert (shown.color - plain.color).abs().max() > 0.01
    assert torch.equal(shown.depth, plain.depth)
    assert draft_of(detailed).view(camera()).color.shape[-1] == 64
    points = load_head_model().mean[None, :50]
    assert (detailed.query(points)[1] - head.query(points)[1]).abs().max() > 1e-3


def test_light_changes_no_detail(generator: AnchoredGenerator) -> None:
    """What the branch is told of a surface is its colour without light, of the photo's and the query's alike."""
    head, dim = head_of(generator), head_of(generator, light=0.3 * WHITE)
    source, branch = source_of(head), tiny_details(generator.config)
    rays = [DetailedHead(shown, branch, source).rays_of(shown.view(camera(0.2)))[0] for shown in (head, dim)]
    torch.testing.assert_close(rays[0].color, rays[1].color)
    assert not torch.allclose(head.view(camera()).color, dim.view(camera()).color, atol=0.05)
    torch.testing.assert_close(source_of(dim).color, source.color)


def test_an_edit_looks_details_up_where_they_were(generator: AnchoredGenerator) -> None:
    before, after = head_of(generator), head_of(generator, JAW)
    edit = Edit(before.w_plus, after.w_plus, before.on_mesh)
    detailed = DetailedHead(after, tiny_details(generator.config), source_of(before), edit=edit)
    rays, weights = detailed.rays_of(after.view(camera()))
    assert weights is not None and rays.homes is not None
    hit = rays.alpha[0] > 0.9
    lifted = (rays.places - rays.points)[0, hit, 1]
    assert float(lifted.max()) * MM_PER_UNIT > 5.0  # the chin was higher before
    assert float(lifted.median().abs()) * MM_PER_UNIT < 3.0  # and the brow where it is
    same = DetailedHead(before, tiny_details(generator.config), source_of(before))
    still = same.rays_of(before.view(camera()))[0]
    assert torch.equal(still.places, still.points)


def test_an_edit_of_a_toon_is_one_of_its_own_shape(generator: AnchoredGenerator) -> None:
    """An edit that changes no shape leaves every place where it is, larger eyes included."""
    toon = AnchoredGenerator(replace(generator.config, proportions=Proportions(eyes=(1.7, 1.7, 1.7))))
    toon.load_state_dict(generator.state_dict())
    head = head_of(toon.eval().requires_grad_(False))
    detailed = DetailedHead(
        head, tiny_details(toon.config), source_of(head), edit=Edit(head.w_plus, head.w_plus, head.on_mesh)
    )
    rays, _ = detailed.rays_of(head.view(camera()))
    hit = rays.alpha[0] > 0.9
    assert float((rays.places - rays.points)[0, hit].norm(dim=-1).max()) * MM_PER_UNIT < 0.5


def test_picked_rays_keep_their_homes() -> None:
    part = torch.arange(12.0).reshape(1, 4, 3)
    rays = QueryRays(part[..., :2], part, part, part, part[..., 0], homes=part)
    picked = rays.picked(lambda values: values[:, 2:3])
    assert picked.homes is not None and torch.equal(picked.homes, part[:, 2:3])
