"""A head with its photo's details: what they may change, what they may not, and what an edit does to them."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from torch import Tensor

from geoinv.camera import Camera
from geoinv.conventions import FACE_ORBIT
from geoinv.heads import Alignment, DetailedHead, Edit, PlainHead
from geoinv.models.generator import TriPlaneGenerator
from geoinv.models.local_branch import EditedWeights, LocalBranch, QueryRays
from geoinv.models.plane_warp import PlaneWarp
from geoinv.models.source_view import SourceView
from tests.dense_heads import YAW, camera, code_of, dense_generator, source_of
from tests.tiny_models import tiny_details


@pytest.fixture(scope="module")
def generator() -> TriPlaneGenerator:
    return dense_generator()


@pytest.fixture(scope="module")
def head(generator: TriPlaneGenerator) -> PlainHead:
    return PlainHead(generator, code_of(generator))


def test_an_untrained_branch_changes_nothing(head: PlainHead) -> None:
    plain, shown = DetailedHead(head, LocalBranch(tiny_details().config), source_of(head)).view_pair(camera(YAW))
    assert torch.equal(shown.depth, plain.depth)
    assert torch.allclose(shown.color, plain.color, atol=1e-6)


def test_colours_change_and_the_shape_does_not(head: PlainHead) -> None:
    detailed = DetailedHead(head, tiny_details(), source_of(head))
    plain, shown = detailed.view_pair(camera(YAW))
    assert (shown.color - plain.color).abs().max() > 0.01
    assert torch.equal(shown.alpha, plain.alpha)
    assert torch.equal(shown.depth, plain.depth)
    assert (shown.color <= shown.alpha + 1e-6).all()
    assert torch.equal(plain.color, head.view(camera(YAW)).color)
    assert torch.equal(shown.color, detailed.view(camera(YAW)).color)
    assert detailed.plain is head and head.plain is head


@pytest.mark.parametrize("alignment", ["hybrid", "3d", "2d"])
def test_views_one_by_one_or_together(head: PlainHead, alignment: Alignment) -> None:
    cameras = Camera(torch.cat([camera(0.3).cam2world, camera(-0.3).cam2world]), FACE_ORBIT.focal)
    detailed = DetailedHead(head, tiny_details(), source_of(head), alignment=alignment)
    together, alone = detailed.view(cameras).color, [detailed.view(single).color for single in cameras]
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)


def test_several_heads_at_once(generator: TriPlaneGenerator) -> None:
    """A batch is its heads, each with the details of its own photo."""
    codes = torch.cat([code_of(generator, 0), code_of(generator, 9)])
    both, cameras = PlainHead(generator, codes), camera().expand(2)
    photos = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    source = SourceView.from_photo(photos, torch.ones(2, 1, 32, 32), both.view(cameras))
    batch = DetailedHead(both, tiny_details(), source).view(camera(YAW).expand(2)).color
    for index in range(2):
        own = PlainHead(generator, codes[index : index + 1])
        photo = photos[index : index + 1]
        alone = DetailedHead(
            own, tiny_details(), SourceView.from_photo(photo, torch.ones(1, 1, 32, 32), own.view(camera()))
        )
        assert torch.allclose(alone.view(camera(YAW)).color[0], batch[index], atol=1e-3)


def test_a_wider_lens_shows_the_same_head(head: PlainHead) -> None:
    """With half the focal length, the middle of the picture is the usual view at half the side."""
    detailed = DetailedHead(head, LocalBranch(tiny_details().config), source_of(head))
    wide = detailed.view(dataclasses.replace(camera(YAW), focal=0.5 * FACE_ORBIT.focal))
    usual = torch.nn.functional.avg_pool2d(detailed.view(camera(YAW)).depth, 2)
    assert torch.allclose(wide.depth[..., 4:12, 4:12], usual, atol=0.02)


def test_points_have_details(head: PlainHead) -> None:
    detailed = DetailedHead(head, tiny_details(), source_of(head))
    points = torch.rand(1, 50, 3, generator=torch.Generator().manual_seed(3)) - 0.5
    density, color = detailed.query(points)
    plain_density, plain_color = head.query(points)
    assert torch.equal(density, plain_density)
    assert (color - plain_color).abs().max() > 1e-3
    assert ((color >= 0.0) & (color <= 1.0)).all()


def test_an_edited_head_keeps_the_tone_of_its_photo_and_loses_details(
    generator: TriPlaneGenerator, head: PlainHead
) -> None:
    """An untouched head is shown alike whether it counts as edited or not; a changed one is not."""
    source, branch = source_of(head), tiny_details()
    code, other = code_of(generator, 8), code_of(generator, 9)

    def shown(plain: PlainHead, edit: Edit | None) -> Tensor:
        return DetailedHead(plain, branch, source, edit=edit).view(camera()).color

    assert torch.equal(shown(head, Edit(code, code)), shown(head, None))
    edited = PlainHead(generator, other)
    edited._planes = 4.0 * edited._planes  # of other colours by far
    assert not torch.equal(shown(edited, Edit(code, other)), shown(edited, None))


class TestMovedDetails:
    """Edits that move a face to the side of the box: details go along with it."""

    code, other = torch.zeros(1, 4, 16), torch.ones(1, 4, 16)
    moved = torch.tensor([0.1, 0.0, 0.0])  # world units, from the head in the photo to the edited one

    @pytest.fixture
    def moving(self, generator: TriPlaneGenerator) -> PlainHead:
        """A head whose generator's heads lie where they lie for ``code``, and ``moved`` from there for ``other``."""
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
        return PlainHead(moving, code_of(generator))

    def edited(self, moving: PlainHead) -> tuple[QueryRays, QueryRays]:
        """The rays of the front view before and after the edit."""
        view, source, branch = moving.view(camera()), source_of(moving), tiny_details()
        detailed = DetailedHead(moving, branch, source, edit=Edit(self.code, self.other))
        return QueryRays.from_view(view), detailed.rays_of(view)[0]

    def test_places_are_those_before_the_edit(self, moving: PlainHead) -> None:
        rays, edited = self.edited(moving)
        assert torch.equal(edited.points, rays.points)
        assert torch.allclose(edited.places, rays.points - self.moved, atol=1e-4)
        assert torch.equal(rays.places, rays.points)

    def test_features_are_read_there(self, moving: PlainHead) -> None:
        """The modulation of an edited head is that of the unedited one where its places are."""
        source, branch = source_of(moving), tiny_details()
        rays, edited = self.edited(moving)
        features = branch.source_features(source)
        followed = branch.modulation(edited, source, features, None)
        by_hand = branch.modulation(dataclasses.replace(rays, places=rays.points - self.moved), source, features, None)
        assert torch.allclose(followed, by_hand, atol=1e-3)
        assert (followed - branch.modulation(rays, source, features, None)).abs().max() > 1e-2

    def test_a_head_that_is_only_moved_keeps_its_details(self, moving: PlainHead) -> None:
        """Colours that came along are not colours that changed."""
        source = source_of(moving)
        rays, edited = self.edited(moving)
        positions = source.camera.project(rays.points - self.moved)[0]
        came_along = torch.nn.functional.grid_sample(
            source.color, positions[:, :, None] * 2.0 - 1.0, align_corners=False
        )[..., 0].transpose(1, 2)
        edited = dataclasses.replace(edited, color=came_along)
        assert EditedWeights.of_view(edited, source).nearby.max() < 0.01
        in_place = dataclasses.replace(edited, places=rays.points)
        assert EditedWeights.of_view(in_place, source).nearby.max() > 0.1
