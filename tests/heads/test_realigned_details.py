"""Edits of generators that do not know which places of the face moved where: details are aligned to the edited head."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from geoinv.camera import CameraPose
from geoinv.heads import DetailedHead, Edit, PlainHead
from geoinv.models.detail_config import DetailConfig
from geoinv.models.local_branch import LocalBranch
from geoinv.models.source_view import SourceView
from tests.dense_heads import camera, code_of, dense_generator, source_of
from tests.opaque_generator import opaque_generator
from tests.tiny_models import tiny_details


def branch() -> LocalBranch:
    torch.manual_seed(0)
    config = DetailConfig("opaque", 16, 32, channels=8, widths=(8, 8), aligner_widths=(8, 8), hidden=8, enlargement=4)
    made = LocalBranch(config)
    torch.nn.init.normal_(made.film[-1].weight, std=0.3)
    return made.eval().requires_grad_(False)


@pytest.fixture
def edited() -> DetailedHead:
    """A head whose code has become another's."""
    generator = opaque_generator()
    codes = torch.randn(2, 1, 8).expand(-1, generator.config.num_ws, -1) + generator.w_avg
    before, after = (PlainHead(generator, code[None]) for code in codes)
    view = before.view(CameraPose.from_angles(0.2).camera(before.orbit))
    source = SourceView.from_photo(torch.rand(1, 3, 128, 128), torch.ones(1, 1, 128, 128), view)
    return DetailedHead(after, branch(), source, edit=Edit(before.w_plus, after.w_plus))


def test_the_photo_shows_the_edited_surface(edited: DetailedHead) -> None:
    view = edited.plain.view(edited.source.camera)
    shown = edited.shown_source
    solid = shown.depth > 0.0
    assert solid.float().mean() > 0.5
    assert torch.equal(shown.depth[solid], view.depth[solid])
    assert not torch.allclose(shown.depth, edited.source.depth)
    rays, weights = edited.rays_of(view)
    assert weights is None
    _, before, _ = edited.source.look_up(rays.places)
    _, after, color = shown.look_up(rays.places)
    assert after.mean() > before.mean() + 0.05  # what the edit moved is seen where it is now
    assert (color - rays.color)[after[..., 0] > 0.5].abs().mean() < 0.02


def test_details_of_an_edit_are_aligned_by_the_branch(edited: DetailedHead) -> None:
    residual = edited.branch.aligner(edited.source.residual, edited.plain.view(edited.source.camera).color)
    assert torch.allclose(edited.shown_source.residual, residual, atol=1e-5)
    unedited = DetailedHead(edited.plain, edited.branch, edited.source)
    assert unedited.shown_source is edited.source
    plain, shown = edited.view_pair(edited.source.camera)
    assert (shown.color - plain.color).abs().max() > 0.01
    points = torch.rand(1, 20, 3) - 0.5
    assert torch.isfinite(edited.query(points)[1]).all()


def test_training_learns_to_align_to_edits(edited: DetailedHead) -> None:
    trained = edited.branch.requires_grad_(True)
    features = edited.features(edited.plain.view(edited.source.camera))
    assert features.in_3d is not None
    features.in_3d.square().sum().backward()
    gradient = trained.aligner.body.head.weight.grad
    assert gradient is not None and gradient.abs().sum() > 0.0


def test_a_generator_that_knows_places_moves_details_by_them() -> None:
    generator = dense_generator()
    head = PlainHead(generator, code_of(generator))
    other = Edit(head.w_plus, head.w_plus + 0.1)
    knowing = DetailedHead(head, tiny_details(), source_of(head), edit=other)
    assert generator.config.knows_places and knowing.shown_source is knowing.source
    without = dataclasses.replace(generator.config.backbone, warp_rank=0)
    assert not dataclasses.replace(generator.config, backbone=without).knows_places
    assert knowing.rays_of(head.view(camera()))[1] is not None
