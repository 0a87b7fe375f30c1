"""The skeleton: joints where they belong, weights that sum to one, a jaw that opens as the morph target does."""

from __future__ import annotations

import numpy as np
import pytest

from geoinv.avatar.morphs import MORPH_NAMES
from geoinv.avatar.rig import CHEST, HEAD, JAW, LEFT_EYE, NECK, RIGHT_EYE, Rig
from tests.avatar.people import a_person, an_avatar


@pytest.fixture(scope="module")
def rig() -> Rig:
    return an_avatar().rig


def test_joints_stand_above_one_another(rig: Rig) -> None:
    heights = rig.positions[:, 1]
    assert heights[CHEST] < heights[NECK] < heights[HEAD] < heights[JAW] < heights[LEFT_EYE]
    assert rig.positions[LEFT_EYE, 0] > 0.03 > -0.03 > rig.positions[RIGHT_EYE, 0]
    assert abs(rig.positions[[CHEST, NECK, HEAD], 0]).max() == 0.0


def test_weights_sum_to_one_over_at_most_four_joints(rig: Rig) -> None:
    np.testing.assert_allclose(rig.weights.sum(axis=1), 1.0, atol=1e-6)
    assert (rig.weights >= 0.0).all() and (rig.weights > 0.0).sum(axis=1).max() <= 4


def test_parts_follow_their_joints(rig: Rig) -> None:
    person = a_person()
    parts, places = person.model.parts, person.at_rest().numpy()
    for name, joint in (("left-eye", LEFT_EYE), ("right-eye", RIGHT_EYE), ("lower-teeth", JAW), ("upper-teeth", HEAD)):
        assert (rig.weights[parts[name].vertices, joint] == 1.0).all()
    skin = np.arange(len(places)) < parts["skin"].vertices.stop
    assert rig.weights[skin & (places[:, 1] > 0.2), HEAD].min() > 0.99
    assert rig.weights[skin & (places[:, 1] < -0.45), CHEST].min() > 0.9


def test_the_jaw_joint_opens_the_mouth_as_far_as_the_morph_target(rig: Rig) -> None:
    person = a_person()
    rows = person.model.parts["lower-teeth"].vertices
    teeth = person.at_rest().numpy()[rows]
    cos, sin = np.cos(rig.jaw_angle_rad), np.sin(rig.jaw_angle_rad)
    turn = np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])
    turned = (teeth - rig.positions[JAW]) @ turn.T + rig.positions[JAW] - teeth
    moved = an_avatar().morphs.moves[MORPH_NAMES.index("jawOpen"), rows]
    assert np.linalg.norm(turned - moved, axis=1).max() < 0.2 * np.linalg.norm(moved, axis=1).max()
