"""Lights of synthetic heads as spherical harmonics (:mod:`geoinv.light`), in numpy.

The surroundings come from 18 photographed ones: HDRIs of Poly Haven (CC0) in the npm package ``@pmndrs/assets``, each
reduced to nine coefficients. ``environments.json`` holds them, and the main axes of all of them, turned about the
vertical by 36 angles, most of their tint taken out, as a camera does.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..light import directional_light, sh_basis
from .parameters import Vector
from .sphere import sphere_directions

ENVIRONMENT_SIZE = 10
"""Numbers that describe surroundings; they hold 99 % of the variance of the turned HDRIs."""

_DARKEST = 0.15  # of the mean luminance: what nothing falls below, as light is thrown back from everywhere
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])

Coefficients = NDArray[np.float64]  # [9, 3]


def lamp(direction: Vector, color: Vector) -> Coefficients:
    """Coefficients [9, 3] of a soft lamp.

    Args:
        direction: [3] unit vector to the lamp.
        color: [3] linear RGB that a white surface sends back which faces it.
    """
    coefficients = directional_light(torch.from_numpy(direction)[None], torch.from_numpy(color)[None])
    found: Coefficients = coefficients[0].numpy()
    return found


def surroundings(numbers: NDArray[np.floating]) -> Coefficients:
    """Coefficients [9, 3] of the light of random surroundings, of about unit mean luminance.

    Args:
        numbers: [``ENVIRONMENT_SIZE``] standard normal numbers.
    """
    mean, axes, directions = _environments()
    coefficients = mean + np.einsum("k,kij->ij", numbers, axes)
    darkest = float((directions @ coefficients @ _LUMINANCE).min())
    lift = _softened_excess(_DARKEST - darkest)
    coefficients[0] += lift / 0.28209479
    level = float(coefficients[0] @ _LUMINANCE) * 0.28209479
    found: Coefficients = coefficients / level
    return found


def _softened_excess(value: float) -> float:
    """Smooth ``max(value, 0)``, never below it."""
    return float(np.logaddexp(0.0, value * 12.0)) / 12.0


@lru_cache(maxsize=1)
def _environments() -> tuple[Coefficients, NDArray[np.float64], NDArray[np.float64]]:
    """Mean [9, 3] and axes [K, 9, 3] of the surroundings, and harmonics [N, 9] on all sides."""
    table = json.loads(Path(__file__).with_name("environments.json").read_text(encoding="utf-8"))
    mean, axes = np.array(table["mean"]).reshape(9, 3), np.array(table["axes"]).reshape(ENVIRONMENT_SIZE, 9, 3)
    return mean, axes, sh_basis(torch.from_numpy(sphere_directions(60))).numpy()
