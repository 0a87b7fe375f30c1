"""Lights of synthetic heads as spherical harmonics (:mod:`geoinv.light`), in numpy."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..light import directional_light
from .parameters import Vector

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


def sky_and_ground(sky: Vector, ground: Vector) -> Coefficients:
    """Coefficients [9, 3] of light that goes evenly from ``ground`` [3] below to ``sky`` [3] above."""
    coefficients = np.zeros((9, 3))
    coefficients[0] = (sky + ground) * (0.5 / 0.28209479)
    coefficients[1] = (sky - ground) * (0.5 / 0.48860251)
    return coefficients
