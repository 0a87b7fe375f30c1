"""Known colours on a known mesh come back from a photo by hand, and nothing else gets into the textures."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from geoinv.avatar import FittedTemplate
from geoinv.avatar.texture.bake import AvatarTextures, bake_view
from geoinv.avatar.texture.regions import skin_regions
from geoinv.avatar.texture.surface import skin_topology
from geoinv.camera import Camera, CameraPose
from geoinv.errors import UsageError
from geoinv.models.render_output import RenderOutput
from tests.avatar.people import a_person
from tests.avatar.texture.painted import GreyHead, by_place, painted_photo

SIZE = 512
SKIN, GREENISH = (200.0, 150.0, 130.0), (170.0, 145.0, 110.0)


@cache
def baked(is_symmetric: bool = True) -> AvatarTextures:
    view = painted_photo(a_person())
    return bake_view(a_person(), GreyHead(), view, size=SIZE, is_symmetric=is_symmetric)


def at_corners(textures: AvatarTextures) -> NDArray[np.float64]:
    """Texture's colours [C, 3] at the skin's corners."""
    columns, rows = (textures.skin_uvs * (SIZE, -SIZE) + (0.0, SIZE)).astype(int).T
    return textures.skin[rows, columns].astype(np.float64)


def corner_places(template: FittedTemplate) -> NDArray[np.float64]:
    return template.in_photo().double().numpy()[skin_topology(template.model).corner_vertices]


def test_known_colours_come_back_where_the_photo_saw() -> None:
    textures = baked()
    seen = textures.seen > 0.9
    error = np.abs(at_corners(textures) - by_place(corner_places(a_person())))[seen].max(axis=1)
    assert seen.mean() > 0.15
    assert np.median(error) < 3.0
    assert np.percentile(error, 99) < 16.0


def test_the_wall_behind_gets_nowhere() -> None:
    skin = baked().skin.astype(int)
    greener = skin[..., 1] - np.maximum(skin[..., 0], skin[..., 2])
    assert (greener > 4).sum() <= 10  # of 262,144: texels on the outline


def test_what_was_seen_is_in_front() -> None:
    template, seen = a_person(), baked().seen
    topology = skin_topology(template.model)
    normals = template.model.normals(template.in_photo()[None, : template.model.mean.shape[0]])[0].numpy()
    away = normals[topology.corner_vertices] @ template.camera.axis[0].numpy()
    assert seen.min() >= 0.0 and seen.max() == pytest.approx(1.0)
    assert seen[away > 0.0].max() == 0.0
    assert seen[topology.hidden[topology.corner_vertices]].max() == 0.0


def test_the_other_side_is_completed_by_symmetry() -> None:
    """Stripes on the side that the camera sees come to the other side as well."""
    template = replace(a_person(), pose=CameraPose.from_angles(0.9))

    def stripes(places: NDArray[np.float64]) -> NDArray[np.float64]:
        bright = 80.0 + 120.0 * (np.sin(150.0 * places[:, 1]) > 0.0)
        return np.stack([bright, bright, bright], axis=1)

    view = painted_photo(template, stripes)
    spread = {}
    for is_symmetric in (True, False):
        textures = bake_view(template, GreyHead(), view, size=SIZE, is_symmetric=is_symmetric)
        topology = skin_topology(template.model)
        seen = textures.seen
        of_vertex = np.zeros(topology.count)
        of_vertex[topology.corner_vertices] = seen
        only_mirror = (of_vertex < 0.01) & (of_vertex[topology.mirror] > 0.9)
        values = at_corners(textures)[only_mirror[topology.corner_vertices]]
        assert only_mirror.sum() > 50
        spread[is_symmetric] = values.std()
    assert spread[True] > 3.0 * spread[False]


@pytest.mark.parametrize("size", [64, 300, 1024])
def test_textures_have_their_sizes(size: int) -> None:
    view = painted_photo(a_person())
    textures = bake_view(a_person(), GreyHead(), view, size=size)
    corners = len(skin_topology(a_person().model).corner_vertices)
    assert textures.skin.shape == (size, size, 3) and textures.skin.dtype == np.uint8
    assert textures.skin_uvs.shape == (corners, 2) and textures.seen.shape == (corners,)
    assert textures.eyes.shape == (512, 1024, 3) and textures.tongue.shape == (256, 256, 3)
    assert textures.teeth.shape == (len(a_person().model.teeth.anchors), 3)


def test_a_photo_that_shows_nobody_leaves_all_to_the_generator() -> None:
    view = painted_photo(a_person())
    textures = bake_view(
        a_person(), GreyHead(), replace(view, shows_person=np.zeros_like(view.shows_person)), size=SIZE
    )
    assert textures.seen.max() == 0.0
    topology = skin_topology(a_person().model)
    error = np.abs(at_corners(textures) - GreyHead.grey)[~topology.hidden[topology.corner_vertices]]
    assert np.percentile(error, 99) <= 2.0  # a few texels lie on the rim of the dark mouth


def test_absurd_sizes_are_refused() -> None:
    view = painted_photo(a_person())
    with pytest.raises(UsageError, match="16 texels"):
        bake_view(a_person(), GreyHead(), view, size=16)


class GreenishHead(GreyHead):
    """A generator that shows skin with greenish bands across."""

    def view(self, camera: Camera) -> RenderOutput:
        colour = torch.tensor(SKIN)[:, None, None] / 255.0 * torch.ones(1, 1, 32, 32)
        colour[..., 1::4, :] = torch.tensor(GREENISH)[:, None, None] / 255.0
        colour[..., 2::4, :] = torch.tensor(GREENISH)[:, None, None] / 255.0
        solid = torch.ones(1, 1, 32, 32)
        return RenderOutput(colour, solid, 2.4 * solid, camera)


def test_shadows_of_a_generator_are_no_green_skin() -> None:
    template = replace(a_person(), pose=CameraPose.from_angles(0.0))
    view = painted_photo(template, lambda places: np.tile(SKIN, (len(places), 1)))
    textures = bake_view(template, GreenishHead(), view, size=SIZE)
    topology, regions = skin_topology(template.model), skin_regions(template.model)
    is_bare = (regions.bare & ~topology.hidden)[topology.corner_vertices]
    red, green, _ = at_corners(textures)[is_bare].T
    assert (green - red > SKIN[1] - SKIN[0] + 10.0).mean() < 0.03
