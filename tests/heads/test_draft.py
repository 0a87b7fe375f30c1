"""Drafts: the same head in small views, with the photo's features computed once."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import geoinv.heads.draft
from geoinv.heads import DetailedHead, Edit, PlainHead, draft_of
from tests.dense_heads import YAW, camera, code_of, dense_generator, source_of
from tests.tiny_models import tiny_details


@pytest.fixture(scope="module")
def head() -> PlainHead:
    generator = dense_generator()
    return PlainHead(generator, code_of(generator))


@pytest.fixture(autouse=True)
def quarter(head: PlainHead, monkeypatch: pytest.MonkeyPatch) -> int:
    """Side of a draft's rays: half of the tiny generator's."""
    side = head.generator.config.neural_resolution // 2
    monkeypatch.setattr(geoinv.heads.draft, "DRAFT_RAYS", side)
    return side


def test_a_plain_head_in_small(head: PlainHead, quarter: int) -> None:
    full, small = head.view(camera(YAW)), draft_of(head).view(camera(YAW))
    assert small.depth.shape[-1] == quarter and small.color.shape[-1] == 2 * quarter
    assert (F.avg_pool2d(full.color, 2) - small.color).abs().mean() < 0.05
    assert head.view(camera(YAW)).color.shape == full.color.shape  # the head itself stays as it was


@pytest.mark.parametrize("is_edited", [False, True])
def test_a_detailed_head_in_small_keeps_its_details(head: PlainHead, quarter: int, is_edited: bool) -> None:
    edit = Edit(head.w_plus, head.w_plus) if is_edited else None
    detailed = DetailedHead(head, tiny_details(), source_of(head), edit=edit)
    draft = draft_of(detailed)
    plain, shown = draft.view_pair(camera(YAW))
    assert shown.color.shape[-1] == 2 * quarter
    assert (shown.color - plain.color).abs().max() > 0.01


def test_features_of_the_photo_are_computed_once(head: PlainHead, monkeypatch: pytest.MonkeyPatch) -> None:
    branch, source = tiny_details(), source_of(head)
    detailed = DetailedHead(head, branch, source)
    edited = DetailedHead(head, branch, source, edit=Edit(head.w_plus, head.w_plus))
    edited.share_features(detailed)
    monkeypatch.setattr(branch, "source_features", None)  # a second computation would call it
    for other in (detailed, edited):
        assert torch.isfinite(draft_of(other).view(camera(YAW)).color).all()


def test_a_head_of_another_family_stays_as_it_is() -> None:
    class Other:
        pass

    other = Other()
    assert draft_of(other) is other  # type: ignore[arg-type, comparison-overlap]
