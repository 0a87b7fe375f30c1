"""A small skeleton: chest, neck, head, jaw and eyes, with the weights by which they move the mesh.

The jaw turns by what ``jawOpen`` does to the lower teeth, and each vertex follows as far as it does in that movement,
so that joint and morph target agree. All joints have the axes of the world at rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from ..shape import ARKIT_UNITS, HeadModel
from .eyelids import eyelids
from .parts import FloatArray
from .template import FittedTemplate
from .texture.surface_fields import smoothstep

CHEST, NECK, HEAD, JAW, LEFT_EYE, RIGHT_EYE = range(6)
JOINT_NAMES = ("Chest", "Neck", "Head", "Jaw", "LeftEye", "RightEye")
"""Joints in their order; a parent comes before its children."""

PARENTS: tuple[int | None, ...] = (None, CHEST, NECK, HEAD, HEAD, HEAD)

_NECK_RING = (-0.37, 0.2)  # height of the neck's base on the mean head, and how far aside it reaches
_SKULL_RING = -0.17  # height where the skull sits on the neck, at the back
_LEAST_WEIGHT = 0.02


@dataclass(frozen=True, eq=False)
class Rig:
    """Joints of one person at rest.

    Args:
        positions: [J, 3] in world units, in the order of ``JOINT_NAMES``.
        weights: [A, J] of each vertex; each row sums to 1, and at most four are not 0.
        jaw_angle_rad: Turn of the jaw about +x that opens the mouth as far as ``jawOpen`` does.
    """

    positions: FloatArray
    weights: FloatArray
    jaw_angle_rad: float


def rig_of(template: FittedTemplate) -> Rig:
    """The skeleton of a person."""
    model = template.model
    vertices = template.at_rest()[: len(model.mean)].numpy()
    skin = np.arange(len(vertices)) < model.parts["skin"].vertices.stop
    mean = model.mean.numpy()
    neck = skin & (abs(mean[:, 1] - _NECK_RING[0]) < 0.03) & (abs(mean[:, 0]) < _NECK_RING[1])
    skull = skin & (abs(mean[:, 1] - _SKULL_RING) < 0.03) & (mean[:, 2] < 0.0)
    eyes = {side: vertices[model.parts[f"{side}-eye"].vertices].mean(axis=0) for side in ("left", "right")}
    hinge, angle = _jaw(model)
    positions = np.zeros((len(JOINT_NAMES), 3), np.float32)
    positions[NECK] = _middle(vertices[neck])
    positions[CHEST] = positions[NECK] - np.array([0.0, 0.1, 0.02])
    positions[HEAD] = [0.0, vertices[skull, 1].mean(), positions[NECK, 2] + 0.02]
    # the hinge moves with the eyes, which lie at its height before it
    between = 0.5 * (eyes["left"] + eyes["right"])
    mean_eyes = np.concatenate([mean[model.parts[name].vertices] for name in ("left-eye", "right-eye")]).mean(axis=0)
    positions[JAW] = hinge + (between - mean_eyes)
    positions[LEFT_EYE], positions[RIGHT_EYE] = eyes["left"], eyes["right"]
    return Rig(positions, _weights(model), angle)


def _middle(ring: FloatArray) -> FloatArray:
    """Middle of the box about points [N, 3], on the plane between left and right."""
    middle = 0.5 * (ring.min(axis=0) + ring.max(axis=0))
    return np.asarray([0.0, middle[1], middle[2]], np.float32)


@lru_cache(maxsize=2)
def _jaw(model: HeadModel) -> tuple[FloatArray, float]:
    """Hinge [3] of the mean head's jaw, and the angle about +x by which ``jawOpen`` turns the lower teeth."""
    rows = model.parts["lower-teeth"].vertices
    before = model.mean[rows].double().numpy()[:, 1:]  # y, z
    after = before + model.expression_basis[ARKIT_UNITS.index("jawOpen"), rows].double().numpy()[:, 1:]
    a, b = before - before.mean(axis=0), after - after.mean(axis=0)
    angle = np.arctan2((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum(), (a * b).sum())
    # the point that the movement leaves where it is: c = R c + t
    turn = _turn(angle)
    shift = after.mean(axis=0) - turn @ before.mean(axis=0)
    y, z = np.linalg.solve(np.eye(2) - turn, shift)
    return np.asarray([0.0, y, z], np.float32), float(angle)


def _turn(angle_rad: float) -> NDArray[np.float64]:
    """[2, 2] rotation of (y, z) about +x."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[cos, -sin], [sin, cos]])


@lru_cache(maxsize=2)
def _weights(model: HeadModel) -> FloatArray:
    """[A, J] weights, the same for all people."""
    mean = model.mean.numpy()
    x, y, z = mean.T
    above_chest = smoothstep((y - 0.8 * (abs(x) - 0.13).clip(0.0)).astype(np.float64), -0.43, -0.33)
    above_neck = smoothstep((y + 0.3 * z).astype(np.float64), -0.32, -0.22)
    jaw = _jaw_weights(model)
    weights = np.zeros((len(mean), len(JOINT_NAMES)), np.float64)
    weights[:, CHEST] = 1.0 - above_chest
    weights[:, NECK] = above_chest * (1.0 - above_neck)
    weights[:, HEAD] = above_chest * above_neck * (1.0 - jaw)
    weights[:, JAW] = above_chest * above_neck * jaw
    for name, joint in (("upper-teeth", HEAD), ("lower-teeth", JAW), ("left-eye", LEFT_EYE), ("right-eye", RIGHT_EYE)):
        weights[model.parts[name].vertices] = np.eye(len(JOINT_NAMES))[joint]
    tongue = model.parts["tongue"].vertices
    weights[tongue] = 0.0
    weights[tongue, JAW], weights[tongue, HEAD] = jaw[tongue], 1.0 - jaw[tongue]
    teeth = torch.einsum("nkj,nk->nj", torch.from_numpy(weights)[model.teeth.anchors], model.teeth.weights.double())
    whole = np.concatenate([weights, teeth.numpy().clip(0.0), weights[eyelids(model).rows]])
    whole[whole < _LEAST_WEIGHT] = 0.0
    return np.asarray(whole / whole.sum(axis=1, keepdims=True), np.float32)


def _jaw_weights(model: HeadModel) -> NDArray[np.float64]:
    """[V] how far each vertex follows the jaw, by its part in ``jawOpen``: 0 to 1."""
    hinge, angle = _jaw(model)
    arm = model.mean.double().numpy()[:, 1:] - hinge[1:]
    rigid = arm @ (_turn(angle) - np.eye(2)).T
    moved = model.expression_basis[ARKIT_UNITS.index("jawOpen")].double().numpy()[:, 1:]
    square = (rigid * rigid).sum(axis=1)
    return np.asarray(((moved * rigid).sum(axis=1) / np.maximum(square, 1e-9)).clip(0.0, 1.0))
