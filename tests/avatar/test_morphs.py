"""Morph targets: units and visemes of a person, with normals, teeth and lids that follow."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from geoinv.avatar.morphs import MORPH_NAMES, Morphs, morph_targets
from geoinv.avatar.parts import all_normals
from geoinv.avatar.visemes import VISEMES, viseme_units
from geoinv.shape import ARKIT_UNITS, expression_code
from tests.avatar.people import a_person, an_avatar


@pytest.fixture(scope="module")
def morphs() -> Morphs:
    return an_avatar().morphs


def test_oculus_names_are_complete() -> None:
    expected = ["sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "ih", "oh", "ou"]
    assert tuple(f"viseme_{name}" for name in expected) == VISEMES
    assert all(0.0 < weight <= 1.0 for name in VISEMES for weight in viseme_units(name).values())


def test_a_unit_is_the_models(morphs: Morphs) -> None:
    person = a_person()
    code = expression_code({"mouthSmileLeft": 1.0})
    rest = person.model.vertices(person.neutral)[0]
    smiling = person.model.vertices(type(person.neutral)(person.neutral.identity, code, person.neutral.gaze))[0]
    moves = morphs.moves[MORPH_NAMES.index("mouthSmileLeft"), : len(rest)]
    np.testing.assert_allclose(moves, (smiling - rest).numpy(), atol=2e-5)


def test_a_viseme_is_the_sum_of_its_units(morphs: Morphs) -> None:
    units = viseme_units("viseme_aa")
    expected = sum(weight * morphs.moves[ARKIT_UNITS.index(unit)] for unit, weight in units.items())
    np.testing.assert_allclose(morphs.moves[MORPH_NAMES.index("viseme_aa")], expected, atol=5e-5)


def test_normals_are_those_of_the_moved_mesh(morphs: Morphs) -> None:
    person = a_person()
    number = MORPH_NAMES.index("jawOpen")
    moved = person.at_rest() + torch.from_numpy(morphs.moves[number])
    expected = all_normals(person.model, moved[None])[0].numpy()
    turned = all_normals(person.model, person.at_rest()[None])[0].numpy() + morphs.turns[number]
    np.testing.assert_allclose(turned, expected, atol=0.005)


def test_lower_teeth_go_with_the_jaw_and_upper_ones_stay(morphs: Morphs) -> None:
    person = a_person()
    anchors = person.model.teeth.anchors
    is_upper = (anchors < person.model.parts["upper-teeth"].vertices.stop).all(dim=1).numpy()
    first = len(person.model.mean)
    moves = morphs.moves[MORPH_NAMES.index("jawOpen"), first : first + len(anchors)]
    teeth = np.linalg.norm(moves, axis=1) * 370.0
    assert teeth[is_upper].max() < 0.1 and teeth[~is_upper].min() > 5.0


def test_making_them_again_gives_the_same() -> None:
    again = morph_targets(a_person())
    assert np.array_equal(again.moves, an_avatar().morphs.moves)
