"""Pictures of what is nearest, against values by hand."""

from __future__ import annotations

import numpy as np

from geoinv.images.depth_buffer import draw_surface, values_at

PLACES = np.array([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0], [8.0, 8.0]])
FACING, AWAY = (0, 2, 1), (0, 1, 2)  # rows of a picture go down


def test_the_nearer_triangle_is_shown() -> None:
    triangles = np.array([FACING, (3, 1, 2), FACING])
    depth_of_far, depth_of_near = np.full(4, 3.0), np.full(4, 2.0)
    places, depth = np.concatenate([PLACES, PLACES]), np.concatenate([depth_of_far, depth_of_near])
    triangles[2] += 4
    shown, nearest = draw_surface(places, depth, triangles, (8, 8))
    assert shown[1, 1] == 2 and shown[6, 6] == 1
    assert nearest[1, 1] == 2.0 and nearest[6, 6] == 3.0


def test_triangles_that_look_away_are_not_shown() -> None:
    shown, nearest = draw_surface(PLACES, np.ones(4), np.array([AWAY]), (8, 8))
    assert (shown == -1).all() and np.isinf(nearest).all()


def test_values_are_mixed_between_corners() -> None:
    values = np.array([[0.0, 1.0], [8.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    x, y = np.array([0.5, 2.5]), np.array([0.5, 3.5])
    found = values_at(PLACES, np.array([FACING]), np.array([0, 0]), x, y, values)
    np.testing.assert_allclose(found, [[0.5, 1.0], [2.5, 1.0]], atol=1e-5)
