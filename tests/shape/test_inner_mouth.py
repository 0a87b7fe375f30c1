"""Lips, teeth and tongue: shut at rest, and open onto teeth, a tongue on the floor and a dark throat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from geoinv.avatar.morphs import MORPH_NAMES
from geoinv.avatar.parts import TONGUE, avatar_parts
from geoinv.avatar.texture.mouth import draw_tongue
from geoinv.avatar.texture.surface import HeadSurface, skin_topology
from geoinv.camera import CameraPose
from geoinv.conventions import FACE_ORBIT, MM_PER_UNIT
from geoinv.shape.inner_mouth import mouth_offsets
from tests.avatar.people import a_person, an_avatar


def seen(vertices: torch.Tensor) -> dict[str, int]:
    """Pixels of 1024 x 1024 from the front that show each part within the mouth."""
    person = a_person()
    topology, model = skin_topology(person.model), person.model
    sighting = HeadSurface.of(model, vertices).seen_by(CameraPose.from_angles(0.0).camera(FACE_ORBIT), 1024)
    first = len(topology.triangles)
    names = np.full(first + len(topology.others), "", dtype="U12")
    is_bag = np.asarray(topology.mouth[topology.triangles].all(axis=1))
    behind_lips = person.model.mean[topology.triangles].numpy()[:, :, 2].max(axis=1) < 50.0 / MM_PER_UNIT
    names[:first][is_bag & behind_lips] = "throat"
    is_upper = (model.teeth.anchors < model.parts["upper-teeth"].vertices.stop).all(dim=1).numpy()
    teeth = topology.others[: topology.teeth_count] - topology.first_tooth
    names[first : first + len(teeth)] = np.where(is_upper[teeth].all(axis=1), "upper", "lower")
    tongue = model.parts["tongue"].triangles
    names[first + len(teeth) :][: tongue.stop - tongue.start] = "tongue"
    shown = names[sighting.shown[sighting.shown >= 0]]
    return {name: int(np.sum(shown == name)) for name in ("upper", "lower", "tongue", "throat")}


def opened(weight: float) -> torch.Tensor:
    return a_person().at_rest() + weight * torch.from_numpy(an_avatar().morphs.moves[MORPH_NAMES.index("jawOpen")])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_shows_between_lips_at_rest(seed: int) -> None:
    person = a_person(seed)
    lips_apart = replace(person, codes=person.neutral).in_photo()
    assert sum(seen(person.at_rest()).values()) < 0.3 * sum(seen(lips_apart).values())  # what is left is at corners


@pytest.mark.parametrize("weight", [0.4, 0.7, 1.0])
def test_an_open_mouth_shows_teeth_tongue_and_throat(weight: float) -> None:
    parts = seen(opened(weight))
    assert parts["upper"] > 100 and parts["lower"] > 400 and parts["tongue"] > 400
    assert parts["throat"] > 0.1 * parts["tongue"]


def test_the_tongue_stays_on_its_floor_and_its_tip_where_it_was() -> None:
    model = a_person().model
    rows = model.parts["tongue"].vertices
    lower = -mouth_offsets(model)[rows, 1] * MM_PER_UNIT
    places = model.mean[rows] * MM_PER_UNIT
    assert lower.min() >= 0.0 and lower.max() > 10.0
    assert lower[places[:, 2] > places[:, 2].max() - 4.0].max() < 0.1
    assert lower[places[:, 1] < places[:, 1].min() + 2.0].max() < 1.0


def test_the_tongue_is_dark_at_its_back() -> None:
    texture = draw_tongue(a_person().model)
    part = next(part for part in avatar_parts(a_person()) if part.name == TONGUE)
    colours = at_corners(texture, part.uvs)
    depth = part.positions[:, 2].max() - part.positions[:, 2]
    tip, back = colours[depth < 0.03].mean(), colours[depth > 0.13].mean()
    assert tip > 90.0 and back < 0.3 * tip


def at_corners(texture: NDArray[np.uint8], uvs: NDArray[np.float32]) -> NDArray[np.float64]:
    size = texture.shape[0]
    columns, rows = (uvs * (1, -1) + (0, 1)).T * (size - 1)
    return np.asarray(texture[np.rint(rows).astype(int), np.rint(columns).astype(int)].mean(axis=1))
