"""The skin's layout: no overlaps, padded islands, and most texels on the face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geoinv.avatar.texture.layout import skin_layout
from geoinv.avatar.texture.rasterise import draw_triangles
from geoinv.avatar.texture.surface import skin_topology
from geoinv.mesh.skin import islands_of
from geoinv.shape import load_head_model

SIZE = 1024


def corners() -> NDArray[np.float64]:
    """Corners [F, 3, 2] of all triangles in texels of a map of ``SIZE``."""
    triangles = skin_topology(load_head_model()).corner_triangles
    return skin_layout().astype(np.float64)[triangles] * (SIZE, -SIZE) + (0.0, SIZE)


def areas(triangles: NDArray[np.float64]) -> NDArray[np.float64]:
    a, b = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    return 0.5 * (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])


def test_no_triangle_is_turned_over_and_none_lies_on_another() -> None:
    signed = areas(corners())
    assert (signed < 0.0).all()  # rows of a picture go down
    drawn = draw_triangles(
        skin_layout().astype(np.float64) * (4 * SIZE, -4 * SIZE) + (0.0, 4 * SIZE),
        skin_topology(load_head_model()).corner_triangles,
        (4 * SIZE, 4 * SIZE),
    )
    # were there overlaps, fewer texels than the triangles' area would be covered; edges are drawn on both sides
    covered = (drawn >= 0).sum() / 16.0
    assert covered > 0.999 * np.abs(signed).sum()


def test_islands_keep_a_distance() -> None:
    topology = skin_topology(load_head_model())
    places = skin_layout().astype(np.float64) * SIZE
    margin = 0.005 * SIZE
    assert places.min() > margin and places.max() < SIZE - margin
    islands = islands_of(topology.corner_triangles, len(places))
    assert len(islands) == 5
    for number, one in enumerate(islands):
        for other in islands[number + 1 :]:
            between = np.linalg.norm(places[one][:, None] - places[other][None], axis=2)
            assert between.min() > 2.0 * margin


def test_the_face_gets_most_texels() -> None:
    model = load_head_model()
    topology = skin_topology(model)
    mean = model.mean.double().numpy()[topology.triangles]
    real = 0.5 * np.linalg.norm(np.cross(mean[:, 1] - mean[:, 0], mean[:, 2] - mean[:, 0]), axis=1) * 370.0**2
    middle = mean.mean(axis=1)
    face = (middle[:, 2] > 0.15) & (middle[:, 1] > -0.2) & ~topology.hidden[topology.triangles].any(axis=1)
    back = (middle[:, 2] < -0.1) & (middle[:, 1] > 0.0)
    old = np.abs(areas(model.uvs.double().numpy()[topology.corner_triangles] * SIZE))
    new = np.abs(areas(corners()))
    assert np.sqrt(new[face].sum() / real[face].sum()) > 2.5  # texels along a millimetre, of 1024
    assert new[face].sum() / real[face].sum() > 4.0 * new[back].sum() / real[back].sum()
    assert new[face].sum() > 4.0 * old[face].sum()
