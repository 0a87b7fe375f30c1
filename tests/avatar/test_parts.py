"""Parts cover the head, follow the template's vertices, and have places in a texture that do not overlap."""

from __future__ import annotations

import numpy as np
import pytest

from geoinv.avatar import AvatarPart, avatar_parts
from geoinv.avatar.parts import MATERIALS, PART_NAMES
from tests.avatar.people import a_person


@pytest.fixture(scope="module")
def parts() -> dict[str, AvatarPart]:
    return {part.name: part for part in avatar_parts(a_person())}


def test_all_are_there_in_their_order(parts: dict[str, AvatarPart]) -> None:
    assert tuple(parts) == PART_NAMES
    assert {name: part.material for name, part in parts.items()} == MATERIALS


@pytest.mark.parametrize("name", PART_NAMES)
def test_arrays_fit_one_another(parts: dict[str, AvatarPart], name: str) -> None:
    part = parts[name]
    count = len(part.rows)
    assert part.positions.shape == part.normals.shape == (count, 3) and part.uvs.shape == (count, 2)
    assert {array.dtype.name for array in (part.positions, part.normals, part.uvs)} == {"float32"}
    assert part.triangles.min() == 0 and part.triangles.max() == count - 1
    assert np.allclose(np.linalg.norm(part.normals, axis=1), 1.0, atol=1e-4) or name == "skin"  # the box flattens it
    assert part.uvs.min() >= 0.0 and part.uvs.max() <= 1.0


def test_they_are_placed_by_the_templates_vertices(parts: dict[str, AvatarPart]) -> None:
    person = a_person()
    for part in parts.values():
        np.testing.assert_array_equal(part.placed(person.at_rest()), part.positions)
    moved = parts["skin"].placed(person.in_photo()) - parts["skin"].positions
    assert np.abs(moved).max() > 0.01


@pytest.mark.parametrize("name", ["right-eye", "left-eye"])
def test_the_pupil_is_in_the_middle_of_an_eyes_half_of_the_texture(parts: dict[str, AvatarPart], name: str) -> None:
    eye = parts[name]
    foremost = eye.positions[:, 2].argmax()
    assert np.linalg.norm((eye.uvs[foremost] - (0.25 if name == "right-eye" else 0.75, 0.5)) * (2.0, 1.0)) < 0.08
    a, b, c = (eye.uvs[eye.triangles[:, k]] for k in range(3))
    areas = 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    assert areas.min() > 0.0  # none runs the other way, so none lies over another
    assert areas.sum() < np.pi / 8.0  # of the disc in its half


def test_teeth_have_colours_and_the_rest_textures(parts: dict[str, AvatarPart]) -> None:
    for name, part in parts.items():
        assert (part.colours is not None) == (name == "teeth")
        if name != "teeth":
            assert len(np.unique(part.uvs, axis=0)) > 10
