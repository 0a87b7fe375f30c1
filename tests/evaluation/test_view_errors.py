"""Errors of shape and light on the head mesh, and where the face is in a view."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from geoinv.conventions import MM_PER_UNIT
from geoinv.evaluation.view_errors import errors_on_mesh, face_masks
from geoinv.models.on_mesh import OnMesh
from geoinv.shape import ARKIT_UNITS, load_head_model
from tests.evaluation.ellipsoid_heads import cameras, ellipsoid_heads


def test_errors_on_mesh_by_hand() -> None:
    """An open jaw moves vertices by its basis; a constant light is off by its own brightness."""
    model, heads = load_head_model(), ellipsoid_heads(1)
    codes = model.mean_codes()
    jaw = ARKIT_UNITS.index("jawOpen")
    moved = replace(codes, expression=codes.expression.index_fill(1, torch.tensor([jaw]), 0.6))
    light = torch.zeros(1, 9, 3)
    light[:, 0] = 2.0
    known = heads.head(0).known
    assert known is not None
    errors = errors_on_mesh(OnMesh(moved, light), known)
    expected = 0.6 * MM_PER_UNIT * model.expression_basis[jaw].square().sum(dim=-1).mean().sqrt()
    assert errors["vertices_mm"].item() == pytest.approx(expected.item(), rel=1e-3)
    assert errors["light_off"].item() == pytest.approx(2.0 * 0.28209479, rel=1e-4)
    same = errors_on_mesh(OnMesh(known.shape, known.light), known)
    assert same["vertices_mm"].item() == same["light_off"].item() == 0.0


def test_face_is_where_the_head_looks() -> None:
    """The mean head's face lies in the middle of the picture, without hair and neck, and is narrower from the side."""
    masks = face_masks(load_head_model().mean_codes(), cameras().cam2world)
    front, aside = masks[0, 0].float(), masks[8, 0].float()
    assert 0.1 < front.mean() < 0.45 and front[128, 128] == 1.0 and not front[:40].any() and not front[:, :40].any()
    assert aside.mean() < 0.9 * front.mean()
