"""The local branch: where its features come from, and what an edit takes away."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from geoinv.camera import pixel_centres
from geoinv.heads import PlainHead
from geoinv.models.alignment import ResidualAligner
from geoinv.models.generator import TriPlaneGenerator
from geoinv.models.local_branch import EditedWeights, LocalBranch, QueryRays
from geoinv.models.render_output import RenderOutput
from geoinv.models.source_view import SourceView
from tests.dense_heads import YAW, camera, code_of, dense_generator, source_of
from tests.tiny_models import tiny_details


@pytest.fixture(scope="module")
def generator() -> TriPlaneGenerator:
    return dense_generator()


@pytest.fixture(scope="module")
def head(generator: TriPlaneGenerator) -> PlainHead:
    return PlainHead(generator, code_of(generator))


def test_residual_and_depth_by_hand() -> None:
    """Two pixels of the ray grid, the left one solid; rounded as a file keeps them."""
    alpha = torch.tensor([[1.0, 1.0, 0.2, 0.2]] * 4)[None, None]
    color = 0.25 * alpha.expand(1, 3, 4, 4)
    depth = torch.full((1, 1, 2, 2), 2.5)
    person = torch.tensor([1.0, 0.5, 1.0, 0.0]).expand(1, 1, 4, 4)
    source = SourceView.from_photo(torch.full((1, 3, 4, 4), 0.75), person, RenderOutput(color, alpha, depth, camera()))
    assert torch.equal(source.depth, torch.tensor([[2.5, 0.0], [2.5, 0.0]])[None, None])
    assert torch.allclose(source.residual[0, 0], torch.tensor([0.5, 0.25, 0.1, 0.0]).half().float().expand(4, 4))
    assert torch.allclose(source.color[0, 0], torch.tensor([[0.25, 0.05], [0.25, 0.05]]).half().float())


def test_padding_shows_nothing() -> None:
    """Of 60 x 60 pixels the right 20 lie beyond the photo's edge, the 3 before them fade."""
    alpha, depth = torch.ones(1, 1, 60, 60), torch.full((1, 1, 30, 30), 2.5)
    view = RenderOutput(torch.zeros(1, 3, 60, 60), alpha, depth, camera())
    inside = torch.ones(1, 1, 120, 120)
    inside[..., 80:] = 0.0
    source = SourceView.from_photo(torch.full((1, 3, 60, 60), 0.5), alpha, view, inside)
    assert (source.residual[..., :37] == 0.5).all() and (source.residual[..., 40:] == 0.0).all()
    fading = source.residual[0, 0, 30, 37:40]
    assert (fading.diff() < 0.0).all() and 0.0 < fading[2] < 0.5
    assert (source.depth[..., :20] == 2.5).all() and (source.depth[..., 20:] == 0.0).all()
    whole = SourceView.from_photo(torch.full((1, 3, 60, 60), 0.5), alpha, view, torch.ones(1, 1, 120, 120))
    assert (whole.residual == 0.5).all() and (whole.depth == 2.5).all()


def test_rays_of_a_view_hit_its_surface(head: PlainHead) -> None:
    view = head.view(camera(YAW))
    rays = QueryRays.from_view(view)
    origins, directions = camera(YAW).rays(pixel_centres(16))
    along = ((rays.points - origins) * directions).sum(dim=-1)
    off_ray = rays.points - origins - directions * along[..., None]
    assert off_ray.abs().max() < 1e-5
    assert torch.allclose(along * (directions @ camera(YAW).axis[0]), view.depth.flatten(1), atol=1e-5)


class TestVisibility:
    """A plane at depth 2.7 fills the left half of the photo; features are 1 everywhere."""

    @staticmethod
    def film(points: Tensor, branch: LocalBranch) -> Tensor:
        depth = torch.full((1, 1, 16, 16), 2.7)
        depth[..., 8:] = 0.0
        source = SourceView(torch.zeros(1, 3, 32, 32), depth, torch.zeros(1, 3, 16, 16), camera())
        count = points.shape[0]
        pixels, color = torch.full((1, count, 2), 0.5), torch.zeros(1, count, 3)
        rays = QueryRays(pixels, points[None], points[None], color, torch.ones(1, count))
        return branch.modulation(rays, source, torch.ones(1, 8, 16, 16), None)

    @staticmethod
    def reader_of_features() -> LocalBranch:
        """FiLM that is the first feature and nothing else: SFT passes it on, the head reads it."""
        branch = LocalBranch(tiny_details().config)
        for parameter in branch.parameters():
            torch.nn.init.zeros_(parameter)
        with torch.no_grad():
            branch.film[0].weight[0, 0] = 1.0
            branch.film[2].weight[:, 0] = 1.0
        return branch

    @pytest.mark.parametrize(
        ("depth", "column", "visibility"),
        [
            (2.7, 3, 1.0),  # on the surface
            (2.71, 3, 1.0),  # close to it
            (2.735, 3, 0.5),  # fades
            (2.7, 7, 2 / 9),  # at the outline: two of three neighbours are shown, one of three squarely
            (2.8, 3, 0.0),  # behind it
            (2.6, 3, 0.0),  # before it: the photo shows what lies behind
            (2.7, 12, 0.0),  # where the photo shows no head
            (2.7, 40, 0.0),  # beside the photo
        ],
    )
    def test_by_depth(self, depth: float, column: int, visibility: float) -> None:
        pixel = torch.tensor([[(column + 0.5) / 16, 0.5]])
        origin, direction = camera().rays(pixel)
        cosine = direction[0, 0] @ camera().axis[0]
        point = origin[0, 0] + direction[0, 0] * (depth / cosine)
        film = self.film(point[None], self.reader_of_features())
        expected = torch.nn.functional.silu(torch.tensor(visibility))
        assert torch.allclose(film, expected, atol=0.02)


def test_details_go_where_an_edit_changed_the_picture(head: PlainHead) -> None:
    """The same head is not edited anywhere; one of another colour is, wherever the photo shows it."""
    source = source_of(head)
    view = head.view(camera())
    rays = QueryRays.from_view(view)
    assert EditedWeights.of_view(rays, source).nearby.max() == 0.0
    much = EditedWeights.of_view(dataclasses.replace(rays, color=rays.color + 0.4), source)
    for share in (much.nearby, much.itself):
        assert share.reshape(16, 16)[6:10, 6:10].min() > 0.9
    slight = EditedWeights.of_view(dataclasses.replace(rays, color=rays.color + 0.02), source)
    assert slight.nearby.max() == slight.itself.max() == 0.0


@pytest.mark.parametrize(("change", "keeps_tone"), [((0.4, 0.4, 0.4), False), ((-0.4, -0.4, -0.4), True)])
def test_nothing_of_the_photo_stays_where_colours_got_brighter(
    head: PlainHead, change: tuple[float, ...], keeps_tone: bool
) -> None:
    """Of two neighbours of which one changed, both lose details, and only that one its tone: if it got brighter."""
    source, branch = source_of(head), tiny_details()
    rays = QueryRays.from_view(head.view(camera()))
    features = branch.source_features(source)
    middle = 8 * 16 + 8
    color = rays.color.clone()
    color[:, middle] += torch.tensor(change)
    rays = dataclasses.replace(rays, color=color)
    shares = EditedWeights.of_view(rays, source)
    assert shares.nearby[0, middle, 0] > 0.9
    assert shares.itself[0, middle, 0] == (0.0 if keeps_tone else 1.0)
    assert shares.itself[0, middle + 1, 0] == 0.0
    film = branch.modulation(rays, source, features, None, shares)[0].abs().amax(dim=-1)
    assert (film[middle] > 1e-3) == keeps_tone
    assert film[middle + 1] > 1e-3


def test_an_untrained_aligner_leaves_the_residual_where_it_is() -> None:
    residual = torch.randn(1, 3, 32, 32)
    aligned = ResidualAligner((8, 8))(residual, torch.rand(1, 3, 32, 32))
    assert torch.allclose(aligned, residual * torch.sigmoid(torch.tensor(2.0)), atol=1e-4)


def test_details_follow_an_edit(generator: TriPlaneGenerator, head: PlainHead) -> None:
    """2D-aligned details depend on the query's picture, so an edited head gets others."""
    source, branch, other = source_of(head), tiny_details(), PlainHead(generator, code_of(generator, 9))
    aligned = [branch.query_features(source, shown.view(camera()))[1] for shown in (head, other)]
    assert (aligned[0] - aligned[1]).abs().max() > 1e-3


def test_gradients_reach_every_part(head: PlainHead) -> None:
    branch = tiny_details().train()
    source = source_of(head)
    query = head.view(camera(YAW))
    in_2d, _ = branch.query_features(source, query)
    film = branch.modulation(QueryRays.from_view(query), source, branch.source_features(source), in_2d)
    film.square().sum().backward()
    without = [name for name, parameter in branch.named_parameters() if parameter.grad is None]
    assert without == []


def test_a_branch_is_silent_beyond_the_photo_s_edges(generator: TriPlaneGenerator, head: PlainHead) -> None:
    """Of three places one lies in the middle of the photo, one a little and one far above its upper edge."""
    branch = tiny_details(generator.config)
    torch.manual_seed(0)
    torch.nn.init.normal_(branch.film[-1].weight)
    source = source_of(head)
    origins, directions = source.camera.rays(torch.tensor([[[0.5, 0.5], [0.5, -0.2], [0.5, -0.005]]]))
    places = origins + directions * 2.6
    rays = QueryRays(torch.full((1, 3, 2), 0.5), places, places, torch.full((1, 3, 3), 0.5), torch.ones(1, 3))
    with torch.no_grad():
        for features in (branch.source_features(source), None):
            film = branch.modulation(rays, source, features, None).norm(dim=-1)[0]
            assert film[0] > 0.0 and film[1] == 0.0 and film[2] > 0.0
