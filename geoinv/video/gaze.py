"""Where the eyes look: from the iris in the picture to the turn of the eyeball, and to ARKit's units."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from ..conventions import FACE_ORBIT
from ..shape import ARKIT_UNITS, HeadFit, HeadModel
from ..shape.irises import eyeball

SIDES = ("left", "right")
"""Order of the eyes in a performance."""

MAX_ANGLE = 0.7
"""Radians beyond which no eye is taken to turn."""


def gaze_of(model: HeadModel, fit: HeadFit, irises: NDArray[np.floating]) -> NDArray[np.float64]:
    """[2, 2] radians that the left and the right eye turn to world +x and up.

    Args:
        model: Head model.
        fit: The head in this frame.
        irises: [2, 2] middles of the left and the right iris, in parts of the crop's side.
    """
    cam2world = fit.camera.cam2world(FACE_ORBIT)[0].double().numpy()
    with torch.no_grad():
        vertices = model.mean + torch.einsum("bi,ivc->bvc", fit.codes.identity, model.identity_basis)
        eyes = [eyeball(model, vertices, side) for side in SIDES]
    found = np.zeros((2, 2))
    for row, (middle, distance) in enumerate(eyes):
        radius = float(distance)
        x, y, depth = (middle[0].double().numpy() - cam2world[:3, 3]) @ cam2world[:3, :3]
        aside = ((irises[row] - 0.5) / FACE_ORBIT.focal * (depth - radius) - (x, y)) / radius
        aside *= min(1.0, np.sin(MAX_ANGLE) / max(float(np.linalg.norm(aside)), 1e-9))
        to_iris = cam2world[:3, :3] @ np.array([*aside, -np.sqrt(1.0 - aside @ aside)])
        found[row] = np.arctan2(to_iris[0], to_iris[2]), np.arcsin(np.clip(to_iris[1], -1.0, 1.0))
    return np.clip(found, -MAX_ANGLE, MAX_ANGLE)


def look_units(model: HeadModel, gaze: NDArray[np.floating]) -> NDArray[np.float64]:
    """[T, 52] weights of the units that turn the eyes by ``gaze`` [T, 2, 2]; the others are 0."""
    weights = np.zeros((len(gaze), len(ARKIT_UNITS)))
    for eye, side in enumerate(("Left", "Right")):
        outward, up = gaze[:, eye, 0] * (1.0 if side == "Left" else -1.0), gaze[:, eye, 1]
        for name, turn in (("Out", outward), ("In", -outward), ("Up", up), ("Down", -up)):
            unit = ARKIT_UNITS.index(f"eyeLook{name}{side}")
            weights[:, unit] = np.clip(turn / _full_turns(model)[unit], 0.0, 1.0)
    return weights


@lru_cache(maxsize=2)
def _full_turns(model: HeadModel) -> dict[int, float]:
    """Radians by which each unit ``eyeLook*`` turns its eye at weight 1."""
    turns = {}
    for side in SIDES:
        rows = model.parts[f"{side}-eye"].vertices
        ball = model.mean[rows] - model.mean[rows].mean(dim=0)
        front = int(ball[:, 2].argmax())
        for name in ("In", "Out", "Up", "Down"):
            unit = ARKIT_UNITS.index(f"eyeLook{name}{side.capitalize()}")
            moved = model.expression_basis[unit, rows][front]
            turns[unit] = float(torch.atan2(moved[:2].norm(), ball[front, 2] + moved[2]))
    return turns
