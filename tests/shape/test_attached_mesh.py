"""Meshes that hang on the head: hand-computed, and the shipped teeth."""

from __future__ import annotations

from dataclasses import replace

import torch

from geoinv.conventions import MM_PER_UNIT
from geoinv.shape import expression_code, load_head_model

from .tiny_head import tiny_head


def test_hand_computed() -> None:
    head = tiny_head()
    placed = head.teeth.on(head.mean[None])
    first, second, third = head.mean[4:7]
    expected = 0.5 * first + 0.25 * second + 0.25 * third + torch.tensor([0.0, 0.0, 0.02])
    torch.testing.assert_close(placed[0, 0], expected)


def test_teeth_move_with_their_jaw() -> None:
    head = load_head_model()
    opened = replace(head.mean_codes(), expression=expression_code({"jawOpen": 1.0}))
    rest, moved = (head.teeth.on(head.vertices(codes))[0] for codes in (head.mean_codes(), opened))
    fall_mm = (rest - moved)[:, 1] * MM_PER_UNIT
    is_upper = head.teeth.anchors[:, 0] < head.parts["upper-teeth"].vertices.stop
    assert 0.4 < float(is_upper.float().mean()) < 0.6
    assert (
        float(fall_mm[is_upper].abs().max()) < 0.5 and float(fall_mm[~is_upper].min()) > 2.0
    )  # the last molars, near the joint
    assert float(fall_mm[~is_upper].max()) > 25.0


def test_teeth_are_inside_the_closed_mouth() -> None:
    head = load_head_model()
    teeth = head.teeth.on(head.mean[None])[0]
    lips = head.landmarks68.on(head.mean)[[51, 57, 62, 66]]
    assert float(teeth[:, 2].max()) < float(lips[:, 2].min())
    is_enamel = head.teeth.colours.min(-1).values > 0.5
    assert float(is_enamel.float().mean()) > 0.3
