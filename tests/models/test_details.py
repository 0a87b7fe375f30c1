"""The local branch: what it may change, what it may not, and where its features come from."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from torch import Tensor

from geoinv.camera import CameraPose, pixel_centres, project, rays_through
from geoinv.models.alignment import ResidualAligner
from geoinv.models.details import (
    DetailedGenerator,
    Edit,
    LocalBranch,
    QueryRays,
    SourceView,
    edited_shares,
    of_edited,
    rays_of_view,
    render_with_details,
)
from geoinv.models.generator import RenderOutput, TriPlaneGenerator
from geoinv.models.plane_warp import PlaneWarp
from tests.tiny_models import tiny_config, tiny_details

YAW = 0.4


@pytest.fixture(scope="module")
def generator() -> TriPlaneGenerator:
    torch.manual_seed(1)
    generator = TriPlaneGenerator(tiny_config())
    with torch.no_grad():
        generator.decoder.net[-1].bias[0] = 60.0  # a dense box
    return generator.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def planes(generator: TriPlaneGenerator) -> Tensor:
    return generator.planes(generator.mapping(torch.randn(1, 8, generator=torch.Generator().manual_seed(0))))


def camera(yaw: float = 0.0) -> Tensor:
    return CameraPose.from_angles(yaw).cam2world()


def source_of(generator: TriPlaneGenerator, planes: Tensor, seed: int = 2) -> SourceView:
    photo = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(seed))
    return SourceView.of(photo, torch.ones(1, 1, 32, 32), generator.render(planes, camera()), camera())


def test_residual_and_depth_by_hand() -> None:
    """Two pixels of the ray grid, the left one solid."""
    alpha = torch.tensor([[1.0, 1.0, 0.2, 0.2]] * 4)[None, None]
    color = 0.25 * alpha.expand(1, 3, 4, 4)
    depth = torch.full((1, 1, 2, 2), 2.5)
    person = torch.tensor([1.0, 0.5, 1.0, 0.0]).expand(1, 1, 4, 4)
    source = SourceView.of(torch.full((1, 3, 4, 4), 0.75), person, RenderOutput(color, alpha, depth), camera())
    assert torch.equal(source.depth, torch.tensor([[2.5, 0.0], [2.5, 0.0]])[None, None])
    assert torch.allclose(source.residual[0, 0], torch.tensor([0.5, 0.25, 0.1, 0.0]).expand(4, 4))
    assert torch.allclose(source.color[0, 0], torch.tensor([[0.25, 0.05], [0.25, 0.05]]))


def test_an_untrained_branch_changes_nothing(generator: TriPlaneGenerator, planes: Tensor) -> None:
    branch = LocalBranch(tiny_details().config)
    plain = generator.render(planes, camera(YAW))
    detailed = render_with_details(generator, branch, planes, source_of(generator, planes), camera(YAW))
    assert torch.equal(detailed.depth, plain.depth)
    assert torch.allclose(detailed.color, plain.color, atol=1e-6)


def test_colours_change_and_the_shape_does_not(generator: TriPlaneGenerator, planes: Tensor) -> None:
    plain = generator.render(planes, camera(YAW))
    detailed = render_with_details(generator, tiny_details(), planes, source_of(generator, planes), camera(YAW))
    assert (detailed.color - plain.color).abs().max() > 0.01
    assert torch.equal(detailed.alpha, plain.alpha)
    assert torch.equal(detailed.depth, plain.depth)
    assert (detailed.color <= detailed.alpha + 1e-6).all()


@pytest.mark.parametrize("alignment", ["hybrid", "3d", "2d"])
def test_views_one_by_one_or_together(generator: TriPlaneGenerator, planes: Tensor, alignment: str) -> None:
    cameras, source = torch.cat([camera(0.3), camera(-0.3)]), source_of(generator, planes)

    def views(cam2world: Tensor) -> Tensor:
        return render_with_details(
            generator,
            tiny_details(),
            planes,
            source,
            cam2world,
            alignment=alignment,  # type: ignore[arg-type]
        ).color

    assert torch.allclose(views(cameras), torch.cat([views(cameras[:1]), views(cameras[1:])]), atol=1e-5)


def test_rays_of_a_view_hit_its_surface(generator: TriPlaneGenerator, planes: Tensor) -> None:
    view = generator.render(planes, camera(YAW))
    rays = rays_of_view(view, camera(YAW))
    origins, directions = rays_through(camera(YAW), pixel_centres(16))
    along = ((rays.points - origins) * directions).sum(dim=-1)
    off_ray = rays.points - origins - directions * along[..., None]
    assert off_ray.abs().max() < 1e-5
    assert torch.allclose(along * (directions @ camera(YAW)[0, :3, 2]), view.depth.flatten(1), atol=1e-5)


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
        origin, direction = rays_through(camera(), pixel)
        cosine = direction[0, 0] @ camera()[0, :3, 2]
        point = origin[0, 0] + direction[0, 0] * (depth / cosine)
        told = self.film(point[None], self.reader_of_features())
        expected = torch.nn.functional.silu(torch.tensor(visibility))
        assert torch.allclose(told, expected, atol=0.02)


def test_details_go_where_an_edit_changed_the_picture(generator: TriPlaneGenerator, planes: Tensor) -> None:
    """The same head is not edited anywhere; one of another colour is, wherever the photo shows it."""
    source = source_of(generator, planes)
    view = generator.render(planes, camera())
    rays = rays_of_view(view, camera())
    assert edited_shares(rays, source).about.max() == 0.0
    much = edited_shares(dataclasses.replace(rays, color=rays.color + 0.4), source)
    for share in (much.about, much.itself):
        assert share.reshape(16, 16)[6:10, 6:10].min() > 0.9
    slight = edited_shares(dataclasses.replace(rays, color=rays.color + 0.02), source)
    assert slight.about.max() == slight.itself.max() == 0.0


@pytest.mark.parametrize(("change", "keeps_tone"), [((0.4, 0.4, 0.4), False), ((-0.4, -0.4, -0.4), True)])
def test_nothing_of_the_photo_stays_where_colours_got_brighter(
    generator: TriPlaneGenerator, planes: Tensor, change: tuple[float, ...], keeps_tone: bool
) -> None:
    """Of two neighbours of which one changed, both lose details, and only that one its tone: if it got brighter."""
    source, branch = source_of(generator, planes), tiny_details()
    rays = rays_of_view(generator.render(planes, camera()), camera())
    features = branch.source_features(source)
    middle = 8 * 16 + 8
    color = rays.color.clone()
    color[:, middle] += torch.tensor(change)
    rays = dataclasses.replace(rays, color=color)
    shares = edited_shares(rays, source)
    assert shares.about[0, middle, 0] > 0.9
    assert shares.itself[0, middle, 0] == (0.0 if keeps_tone else 1.0)
    assert shares.itself[0, middle + 1, 0] == 0.0
    film = branch.modulation(rays, source, features, None, shares)[0].abs().amax(dim=-1)
    assert (film[middle] > 1e-3) == keeps_tone
    assert film[middle + 1] > 1e-3


def test_an_edited_head_keeps_the_tone_of_its_photo_and_loses_details(
    generator: TriPlaneGenerator, planes: Tensor
) -> None:
    """An untouched head is shown alike whether it counts as edited or not; a changed one is not."""
    source, branch = source_of(generator, planes), tiny_details()
    code, other = (generator.mapping(torch.randn(1, 8, generator=torch.Generator().manual_seed(n))) for n in (8, 9))

    def shown(head: Tensor, edit: Edit | None) -> Tensor:
        return render_with_details(generator, branch, head, source, camera(), edit=edit).color

    assert torch.equal(shown(planes, Edit(code, code)), shown(planes, None))
    edited = 4.0 * generator.planes(other)  # of other colours by far
    assert not torch.equal(shown(edited, Edit(code, other)), shown(edited, None))


class TestMovedDetails:
    """Edits that move a face to the side of the box: details go along with it."""

    code, other = torch.zeros(1, 4, 16), torch.ones(1, 4, 16)
    moved = torch.tensor([0.1, 0.0, 0.0])  # world units, from the head in the photo to the edited one

    @pytest.fixture
    def moving(self, generator: TriPlaneGenerator) -> TriPlaneGenerator:
        """One whose heads lie where they lie for ``code``, and ``moved`` from there for ``other``."""
        moving = copy.deepcopy(generator)
        warp = moving.backbone["synthesis"].warp
        assert isinstance(warp, PlaneWarp)
        cells = warp.mean.numel()
        with torch.no_grad():
            amounts = (warp.amounts(self.other) - warp.amounts(self.code))[0, 0]
            field = torch.zeros_like(warp.mean)
            field[[0, 2]] = -2.0 * self.moved[0] / amounts  # columns of the planes whose columns are x
            mean = -warp.amounts(self.code)[0, 0] * field
            fields = torch.zeros_like(warp.fields)
            fields[0] = field
        warp.set_fields(mean.reshape(cells), fields.flatten(1))
        return moving

    def test_places_are_those_before_the_edit(self, moving: TriPlaneGenerator, planes: Tensor) -> None:
        rays = rays_of_view(moving.render(planes, camera()), camera())
        edited = of_edited(rays, moving, Edit(self.code, self.other))
        assert torch.equal(edited.points, rays.points)
        assert torch.allclose(edited.places, rays.points - self.moved, atol=1e-4)
        assert torch.equal(rays.places, rays.points)

    def test_features_are_read_there(self, moving: TriPlaneGenerator, planes: Tensor) -> None:
        """The modulation of an edited head is that of the unedited one where its places are."""
        source, branch = source_of(moving, planes), tiny_details()
        rays = rays_of_view(moving.render(planes, camera()), camera())
        edited = of_edited(rays, moving, Edit(self.code, self.other))
        features = branch.source_features(source)
        followed = branch.modulation(edited, source, features, None)
        by_hand = branch.modulation(dataclasses.replace(rays, places=rays.points - self.moved), source, features, None)
        assert torch.allclose(followed, by_hand, atol=1e-3)
        assert (followed - branch.modulation(rays, source, features, None)).abs().max() > 1e-2

    def test_a_head_that_is_only_moved_keeps_its_details(self, moving: TriPlaneGenerator, planes: Tensor) -> None:
        """Colours that came along are not colours that changed."""
        source = source_of(moving, planes)
        rays = rays_of_view(moving.render(planes, camera()), camera())
        positions = project(rays.points - self.moved, source.cam2world)[0]
        came_along = torch.nn.functional.grid_sample(
            source.color, positions[:, :, None] * 2.0 - 1.0, align_corners=False
        )[..., 0].transpose(1, 2)
        edited = dataclasses.replace(of_edited(rays, moving, Edit(self.code, self.other)), color=came_along)
        assert edited_shares(edited, source).about.max() < 0.01
        in_place = dataclasses.replace(edited, places=rays.points)
        assert edited_shares(in_place, source).about.max() > 0.1


def test_an_untrained_aligner_leaves_the_residual_where_it_is() -> None:
    residual = torch.randn(1, 3, 32, 32)
    aligned = ResidualAligner((8, 8))(residual, torch.rand(1, 3, 32, 32))
    assert torch.allclose(aligned, residual * torch.sigmoid(torch.tensor(2.0)), atol=1e-4)


def test_details_follow_an_edit(generator: TriPlaneGenerator, planes: Tensor) -> None:
    """2D-aligned details depend on the query's picture, so an edited head gets others."""
    source = source_of(generator, planes)
    other = generator.planes(generator.mapping(torch.randn(1, 8, generator=torch.Generator().manual_seed(9))))
    branch = tiny_details()
    aligned = [branch.query_features(source, generator.render(head, camera()))[1] for head in (planes, other)]
    assert (aligned[0] - aligned[1]).abs().max() > 1e-3


def test_detailed_generator_stands_in(generator: TriPlaneGenerator, planes: Tensor) -> None:
    source, branch = source_of(generator, planes), tiny_details()
    detailed = DetailedGenerator(generator, branch, source)
    expected = render_with_details(generator, branch, planes, source, camera(YAW))
    assert torch.equal(detailed.render(planes, camera(YAW)).color, expected.color)
    points = torch.rand(1, 50, 3, generator=torch.Generator().manual_seed(3)) - 0.5
    density, color = detailed.query(planes, points)
    plain_density, plain_color = generator.query(planes, points)
    assert torch.equal(density, plain_density)
    assert color.shape == plain_color.shape
    assert ((color >= 0.0) & (color <= 1.0)).all()


def test_gradients_reach_every_part(generator: TriPlaneGenerator, planes: Tensor) -> None:
    branch = tiny_details().train()
    source = source_of(generator, planes)
    query = generator.render(planes, camera(YAW))
    in_2d, _ = branch.query_features(source, query)
    film = branch.modulation(rays_of_view(query, camera(YAW)), source, branch.source_features(source), in_2d)
    film.square().sum().backward()
    without = [name for name, parameter in branch.named_parameters() if parameter.grad is None]
    assert without == []
