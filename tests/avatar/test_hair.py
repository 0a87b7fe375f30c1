"""Hair is what a volume has outside of the template: cut where it meets the head, its edge under the skin."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from geoinv.avatar.hair import Hair, hair_of, hair_solid
from geoinv.avatar.nearness import Nearness
from geoinv.avatar.texture.regions import UsualColours
from geoinv.conventions import MM_PER_UNIT
from tests.avatar.people import PHOTO_COLOUR, a_person, a_photo
from tests.ellipsoid_head import EllipsoidGenerator, EllipsoidHead


@pytest.fixture(scope="module")
def hair() -> Hair:
    """A cap: the ellipsoid stands out above and behind the head, and the face looks out of it."""
    made = hair_of(
        a_person(), EllipsoidHead(EllipsoidGenerator((0.27, 0.3, 0.25), centre=0.2)), a_photo(), None, triangles=3000
    )
    assert made is not None
    return made


def _skin() -> tuple[np.ndarray, np.ndarray]:
    person = a_person()
    count = person.model.parts["skin"].vertices.stop
    places = person.at_rest()[: len(person.model.mean)]
    return places[:count].numpy(), person.model.normals(places[None])[0, :count].numpy()


def _border(hair: Hair) -> np.ndarray:
    """Vertices on its open edge."""
    edges = Counter(tuple(sorted(pair)) for t in hair.triangles for pair in ((t[0], t[1]), (t[1], t[2]), (t[2], t[0])))
    return np.unique([edge for edge, count in edges.items() if count == 1])


def test_it_covers_the_skull_and_leaves_the_face_free(hair: Hair) -> None:
    skin, _ = _skin()
    top = hair.positions[:, 1].max()
    assert top > skin[:, 1].max() + 0.04  # the ellipsoid's, as far as the photo saw it
    in_face = (abs(hair.positions[:, 0]) < 0.1) & (hair.positions[:, 2] > 0.1) & (hair.positions[:, 1] < 0.1)
    assert not in_face.any()
    assert 2000 < len(hair.triangles) <= 3000


def test_its_edge_lies_under_the_skin(hair: Hair) -> None:
    border = _border(hair)
    skin, normals = _skin()
    nearest = np.linalg.norm(skin[None] - hair.positions[border][:, None], axis=2).argmin(axis=1)
    above = ((hair.positions[border] - skin[nearest]) * normals[nearest]).sum(axis=1) * MM_PER_UNIT
    assert len(border) > 20 and np.median(above) < -1.0 and np.percentile(above, 80) < 1.0  # ears are folded


def test_it_rises_gently_from_its_edge_above_the_eyes(hair: Hair) -> None:
    """The cap stands 30 mm off the forehead: cut off there, it was the brim of a hat."""
    border = _border(hair)
    far = np.linalg.norm(hair.positions[border][None] - hair.positions[:, None], axis=2).min(axis=1) * MM_PER_UNIT
    in_front = (hair.positions[:, 1] > 0.13) & (hair.positions[:, 2] > 0.05)
    skin, normals = _skin()
    nearest = np.linalg.norm(skin[None] - hair.positions[:, None], axis=2).argmin(axis=1)
    above = ((hair.positions - skin[nearest]) * normals[nearest]).sum(axis=1) * MM_PER_UNIT
    at_edge, beyond = in_front & (far > 10.0) & (far < 18.0), in_front & (far > 40.0)
    assert at_edge.sum() > 10 and beyond.sum() > 10
    assert np.median(above[beyond]) > 15.0 and np.median(above[at_edge]) < 0.5 * np.median(above[beyond])


def test_arrays_fit_one_another(hair: Hair) -> None:
    count = len(hair.positions)
    assert hair.normals.shape == hair.colours.shape == (count, 3) and hair.nearest.shape == (count,)
    assert hair.triangles.max() == count - 1 and hair.nearest.max() < a_person().model.parts["skin"].vertices.stop
    assert np.isfinite(hair.positions).all() and hair.colours.min() >= 0.0 and hair.colours.max() <= 1.0


def test_what_was_not_seen_takes_the_colours_beside_it(hair: Hair) -> None:
    """The photo is of one colour; the ellipsoid's own are others, and what is behind is hidden from the camera."""
    back = hair.positions[:, 2] < -0.2
    assert back.any()
    np.testing.assert_allclose(hair.colours, np.broadcast_to(PHOTO_COLOUR, hair.colours.shape) / 255.0, atol=0.03)


def test_a_volume_within_the_template_has_none() -> None:
    assert (
        hair_of(a_person(), EllipsoidHead(EllipsoidGenerator((0.14, 0.14, 0.14), centre=0.2)), a_photo(), None) is None
    )


def test_what_looks_like_skin_below_the_hairline_is_no_hair(hair: Hair) -> None:
    """The ellipsoid's blue is z: with skin that is blue and hair that is not, its front below the hairline goes."""
    usual = UsualColours(skin=np.array([128.0, 128.0, 255.0]), hair=np.array([128.0, 128.0, 0.0]))
    volume = EllipsoidHead(EllipsoidGenerator((0.27, 0.3, 0.25), centre=0.2))
    cut, other = (hair_of(a_person(), volume, a_photo(), colours, triangles=3000) for colours in (usual, None))
    assert cut is not None and other is not None

    def in_front(made: Hair) -> int:
        return int(((made.positions[:, 2] > 0.03) & (made.positions[:, 1] < 0.1)).sum())

    def behind(made: Hair) -> float:
        return float(np.ptp(made.positions[made.positions[:, 2] < -0.1], axis=0).min())

    assert in_front(cut) < in_front(other)
    assert behind(cut) == pytest.approx(behind(other), rel=0.1)


def test_what_the_photo_shows_as_skin_is_no_hair_above_the_hairline_either() -> None:
    """Partings: the volume lies 10 mm above the scalp there, and the photo is of one colour."""
    volume = EllipsoidHead(EllipsoidGenerator((0.23, 0.26, 0.28), centre=0.15))
    far = np.array([20.0, 60.0, 200.0])
    bare, hairy = (
        hair_of(a_person(), volume, a_photo(), UsualColours(skin=skin, hair=hair), triangles=6000)
        for skin, hair in ((np.array(PHOTO_COLOUR, float), far), (far, np.array(PHOTO_COLOUR, float)))
    )
    assert bare is not None and hairy is not None

    def area_in_front(made: Hair) -> float:
        corners = made.positions[made.triangles]
        areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        middle = corners.mean(axis=1)
        return float(areas[(middle[:, 2] > 0.1) & (middle[:, 1] > 0.15)].sum())

    assert area_in_front(bare) < 0.9 * area_in_front(hairy)


def test_another_colour_below_the_scalp_is_not_the_hairs() -> None:
    """Ear-rings, or a chair behind, are none of it; on the scalp another colour is a scarf."""
    usual = UsualColours(skin=np.array([20.0, 200.0, 60.0]), hair=np.array([20.0, 60.0, 200.0]))
    made = hair_of(a_person(), EllipsoidHead(EllipsoidGenerator((0.27, 0.3, 0.25), centre=0.2)), a_photo(), usual)
    assert made is not None
    near = Nearness(a_person())
    below = made.colours[(near.scalp(made.positions) == 0.0) & (made.positions[:, 1] > -0.1)]
    assert len(below) > 50
    assert np.abs(255.0 * below - usual.hair).max(axis=1).mean() < 0.8 * np.abs(PHOTO_COLOUR - usual.hair).max()
    top = made.colours[(near.scalp(made.positions) == 1.0) & (made.positions[:, 2] > 0.05)]
    assert (np.abs(255.0 * top - PHOTO_COLOUR).max(axis=1) < 60.0).mean() > 0.5


def test_what_hangs_beside_the_throat_is_as_far_from_it_as_it_is() -> None:
    """The underside of the chin lies behind the face, but not within it."""
    person = a_person()
    near = Nearness(person)
    below = np.flatnonzero((near.normals[:, 1] < -0.5) & (near.places[:, 1] < -0.16) & (near.places[:, 2] > 0.0))
    assert len(below) > 20
    assert (near.distance(near.places[below] + 0.03 * near.normals[below]) > 0.01).mean() > 0.75


def test_its_lower_end_lies_down_on_the_body() -> None:
    """Long hair that the photo saw becomes thinner over the shoulders, instead of ending in a step."""
    made = hair_of(a_person(), EllipsoidHead(EllipsoidGenerator((0.3, 0.55, 0.3), centre=0.0)), a_photo(), None)
    assert made is not None
    heights = Nearness(a_person()).distance(made.positions) * MM_PER_UNIT

    def usual(low: float, high: float) -> float:
        return float(np.median(heights[(made.positions[:, 1] > low) & (made.positions[:, 1] < high)]))

    assert usual(-0.24, -0.18) > 30.0
    assert usual(-0.38, -0.34) < 0.25 * usual(-0.24, -0.18)


def test_thin_hair_of_prints_lies_on_the_scalp_as_that_of_avatars_does() -> None:
    """Hair 4 mm high was pressed into the skin, and the two surfaces crossed all over the scalp: prints had pits."""
    volume = EllipsoidHead(EllipsoidGenerator((0.23, 0.26, 0.28), centre=0.15))
    solid = hair_solid(a_person(), volume, a_photo(), None, triangles=20_000)
    avatars = hair_of(a_person(), volume, a_photo(), None, triangles=6000)
    assert solid is not None and avatars is not None
    near = Nearness(a_person())

    def usual_mm(points: np.ndarray) -> float:
        return float(np.median(near.distance(points)[near.scalp(points) > 0.99]) * MM_PER_UNIT)

    assert usual_mm(avatars.positions) > 3.0
    assert usual_mm(solid.vertices) == pytest.approx(usual_mm(avatars.positions), abs=0.5)
