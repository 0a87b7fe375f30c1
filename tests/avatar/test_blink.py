"""``eyeBlink`` closes the lids over the eye of every person: nothing of the eyeball is seen, from whatever side."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from geoinv.avatar.morphs import MORPH_NAMES, morph_targets
from geoinv.conventions import MM_PER_UNIT
from geoinv.images.depth_buffer import draw_surface
from tests.avatar.people import a_person

SIDE = 160


def _eye_seen(seed: int, weight: float, yaw_rad: float, pitch_rad: float) -> float:
    """Part of a window about the left eye in which the eyeball is the nearest."""
    person = a_person(seed)
    model = person.model
    moves = morph_targets(person).moves[MORPH_NAMES.index("eyeBlinkLeft")]
    places = (person.at_rest().numpy() + weight * moves)[: len(model.mean)]
    ball = places[model.parts["left-eye"].vertices]
    centre, radius = ball.mean(axis=0), np.linalg.norm(ball - ball.mean(axis=0), axis=1).mean()
    cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
    turn = np.array([[cos, 0.0, -sin], [0.0, 1.0, 0.0], [sin, 0.0, cos]])
    cos, sin = np.cos(pitch_rad), np.sin(pitch_rad)
    turned = (places - centre) @ (np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]]) @ turn).T / radius
    pixels = (turned[:, :2] * (0.6, -0.6) + 0.5) * SIDE
    depth = 10.0 - turned[:, 2]
    in_front = turned[model.triangles.numpy()][:, :, 2].max(axis=1) > -0.3

    def nearest(part: str) -> np.ndarray:
        rows = model.parts[part].triangles
        triangles = model.triangles[rows].numpy()[in_front[rows]]
        return np.asarray(draw_surface(pixels, depth, triangles, (SIDE, SIDE))[1])

    return float((nearest("left-eye") < nearest("skin")).mean())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_closed_lids_hide_the_eye(seed: int) -> None:
    assert _eye_seen(seed, 0.0, 0.0, 0.0) > 0.08
    assert _eye_seen(seed, 0.4, 0.0, 0.0) > 0.005
    for yaw, pitch in ((0.0, 0.0), (0.6, 0.0), (-0.6, 0.0), (0.0, 0.4), (0.0, -0.5)):
        assert _eye_seen(seed, 1.0, yaw, pitch) == 0.0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_closed_lids_do_not_come_down_over_the_lower_ones(seed: int) -> None:
    person = a_person(seed)
    edges, count = person.model.landmarks468, len(person.model.mean)
    rest = person.at_rest()[:count]
    for name, upper, lower in (("eyeBlinkRight", 159, 145), ("eyeBlinkLeft", 386, 374)):
        moves = torch.from_numpy(morph_targets(person).moves[MORPH_NAMES.index(name), :count])
        places = edges.on(rest + moves)
        assert float(places[upper, 1] - places[lower, 1]) * MM_PER_UNIT == pytest.approx(-1.0, abs=0.1)
