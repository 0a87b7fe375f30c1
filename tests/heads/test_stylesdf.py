"""Heads of the StyleSDF family: what the official code showed is what a head shows, with float16 residuals between."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from geoinv.camera import CameraPose
from geoinv.camera.surface import points_from_depth
from geoinv.camera.visibility import visibility
from geoinv.errors import UsageError
from geoinv.heads import Edit, Head, detailed_head, plain_head, source_view
from geoinv.mesh import extract_head
from geoinv.models.source_view import SourceView
from geoinv.models.stylesdf.config import FFHQ_ORBIT
from geoinv.models.stylesdf.generator import joined
from tests.golden.e3dge_networks import Networks, Parts, every, golden, networks

HALVED = 2e-4 / 2  # pictures of heads lie in [0, 1], golden ones in [-1, 1]
ROUNDED = 6e-3  # what a residual in float16 changes in places


@pytest.fixture(scope="module")
def nets() -> Networks:
    return networks()


@pytest.fixture(scope="module")
def parts(nets: Networks) -> Parts:
    with torch.no_grad():
        return Parts(nets)


@pytest.fixture(scope="module")
def source(nets: Networks, parts: Parts) -> SourceView:
    plain = plain_head(nets.generator, parts.w_plus)
    everybody = torch.zeros(1, 1, 256, 256)  # of a head with its background, all of the photo counts
    return source_view(plain, nets.branch, 0.5 * parts.photo + 0.5, plain.view(parts.source), everybody)


def shown(picture: Tensor) -> Tensor:
    """A golden picture as heads give it."""
    return (0.5 * picture + 0.5).clamp(0.0, 1.0)


def test_plain_view_is_the_official_one(nets: Networks, parts: Parts) -> None:
    head: Head = plain_head(nets.generator, parts.w_plus)
    view = head.view(parts.source)
    assert float((every(view.color, 8) - shown(golden()["encoder/e0_image"])).abs().max()) < HALVED
    assert float((view.depth[:, 0] - golden()["encoder/e0_depth"]).abs().max()) < HALVED
    assert bool((view.alpha == 1.0).all()) and view.alpha.shape[-1] == 256
    assert head.view_pair(parts.source).plain is not None and head.plain is head


def test_views_know_their_scale(nets: Networks, parts: Parts) -> None:
    """What counts as seen is a few millimetres, whatever a unit is."""
    view = plain_head(nets.generator, parts.w_plus).view(parts.source)
    assert view.mm_per_unit == view.cpu().mm_per_unit == type(view.cpu()).cat([view, view]).mm_per_unit == 1200.0
    behind = points_from_depth(view.depth + 0.006, view.camera.cam2world, focal=view.camera.focal)
    places = behind.flatten(2).transpose(1, 2)  # 7.2 mm behind the surface
    seen = [visibility(places, view.depth, view.camera, mm_per_unit=unit).mean() for unit in (370.0, 1200.0, 5000.0)]
    assert seen[0] >= seen[1] > 0.5 * seen[0] and seen[2] < 0.1 * seen[0]


def test_several_views_of_one_head(nets: Networks, parts: Parts) -> None:
    cameras = CameraPose.from_vector(torch.tensor([[0.3] + [0.0] * 5, [-0.3] + [0.0] * 5])).camera(FFHQ_ORBIT)
    head = plain_head(nets.generator, parts.w_plus)
    views = head.view(cameras)
    assert torch.allclose(views.color[1:], head.view(cameras[1]).color, atol=1e-4)


def test_details_are_the_official_ones(nets: Networks, parts: Parts, source: SourceView) -> None:
    head = detailed_head(plain_head(nets.generator, parts.w_plus), nets.branch, source)
    pair = head.view_pair(parts.query)
    difference = (every(pair.shown.color, 8) - shown(golden()["hybrid/fused_image"])).abs()
    assert float(difference.max()) < ROUNDED and float(difference.mean()) < 2e-4
    assert float((pair.shown.color - pair.plain.color).abs().mean()) > 0.01
    assert torch.equal(pair.shown.depth, pair.plain.depth)


def test_2d_alignment_alone(nets: Networks, parts: Parts, source: SourceView) -> None:
    head = detailed_head(plain_head(nets.generator, parts.w_plus), nets.only_2d, source)
    difference = (every(head.view(parts.query).color, 8) - shown(golden()["hybrid/only_2d_image"])).abs()
    assert float(difference.max()) < ROUNDED


def test_details_follow_an_edit_as_officially(nets: Networks, parts: Parts, source: SourceView) -> None:
    g = golden()
    smile, young = g["edit/scales"][1], g["edit/scales"][3]
    change = joined(
        (smile * g["edit/smiling_renderer"] + young * g["edit/young_renderer"])[:, None].expand(-1, 9, -1),
        (smile * g["edit/smiling_decoder"] + young * g["edit/young_decoder"])[:, None].expand(-1, 6, -1),
    )
    after = parts.w_plus + change
    head = detailed_head(plain_head(nets.generator, after), nets.branch, source, edit=Edit(parts.w_plus, after))
    difference = (every(head.view(parts.query).color, 8) - shown(g["edit/fused_image"])).abs()
    assert float(difference.max()) < ROUNDED and float(difference.mean()) < 2e-4
    unmoved = detailed_head(plain_head(nets.generator, after), nets.branch, source).view(parts.query)
    assert float((every(unmoved.color, 8) - shown(g["edit/fused_image"])).abs().max()) > 10 * ROUNDED


def test_view_without_what_g0_saw_is_looked_at_again(nets: Networks, parts: Parts, source: SourceView) -> None:
    head = detailed_head(plain_head(nets.generator, parts.w_plus), nets.branch, source)
    plain = head.plain.view(parts.query)
    assert torch.allclose(head.with_details(plain.cpu()).color, head.with_details(plain).color, atol=1e-5)


def test_points(nets: Networks, parts: Parts, source: SourceView) -> None:
    points = golden()["generator/query_points"][None]
    head = plain_head(nets.generator, parts.random_w_plus)
    density, color = head.query(points)
    assert torch.equal(density[0] > head.volume.level, golden()["generator/query_sdf"][:, 0] < 0.0)
    assert color.shape == (1, 256, 3) and 0.0 <= float(color.min()) <= float(color.max()) <= 1.0
    detailed = detailed_head(plain_head(nets.generator, parts.w_plus), nets.branch, source)
    with_details, without = detailed.query(points), detailed.plain.query(points)
    assert torch.equal(with_details[0], without[0])
    assert float((with_details[1] - without[1]).abs().mean()) > 0.01


def unwarped(vertex: np.ndarray) -> np.ndarray:
    """Where a vertex of the official mesh is: its cells are counted as 32 of 31, and its box is a little too wide."""
    x, y, z = vertex
    widest = 1.12 * np.tan(np.radians(6.0))  # of the frustum, half of it at its far end
    across = [sign * (2.0 * (sign * place / 0.24 + 0.5) * 32 / 31 - 1.0) * widest for sign, place in ((1, x), (-1, y))]
    return np.array([*across, z])


def test_mesh_has_the_official_size(nets: Networks, parts: Parts) -> None:
    mesh = extract_head(plain_head(nets.generator, parts.w_plus), resolution=64)
    pose = golden()["surface/camera_poses"][0, :, :3]
    in_camera = mesh.vertices @ pose.numpy()  # the official mesh stands in the photo's camera
    for found, expected in ((in_camera.min(axis=0), "vertex_min"), (in_camera.max(axis=0), "vertex_max")):
        theirs = unwarped(golden()[f"surface/{expected}"].numpy())
        np.testing.assert_allclose(found, theirs, atol=0.24 / 32 / 5)  # a fifth of an official cell
    assert np.ptp(mesh.vertices_mm[:, 1]) == pytest.approx(1200.0 * np.ptp(mesh.vertices[:, 1]), rel=1e-5)


def test_other_alignments_are_refused(nets: Networks, parts: Parts, source: SourceView) -> None:
    with pytest.raises(UsageError, match="3d alone"):
        detailed_head(plain_head(nets.generator, parts.w_plus), nets.branch, source, alignment="3d")


def test_toon_shows_the_same_difference_from_its_own_mean(nets: Networks, parts: Parts) -> None:
    toon = networks().generator
    with torch.no_grad():
        toon.renderer_mean += 0.05
        toon.decoder_mean += 0.05
    moved = plain_head(toon, parts.w_plus).view(parts.source).color
    by_hand = parts.w_plus + 0.05
    assert torch.allclose(moved, plain_head(nets.generator, by_hand).view(parts.source).color, atol=1e-3)


def test_source_view_keeps_what_files_keep(source: SourceView) -> None:
    assert source.residual.shape == (1, 3, 256, 256) and source.depth.shape == (1, 1, 64, 64)
    for part in (source.residual, source.depth, source.color):
        assert torch.equal(part, part.half().float())
    assert replace(source).expand(2).residual.shape[0] == 2
