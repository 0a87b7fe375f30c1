"""Light taken out of the skin as far as a photo tells it: smooth, without colour, from how brightness follows normals.

Bare skin has about one albedo, so its brightness follows the light that comes from where it faces. Spherical harmonics
of order 2 are fitted to that (:mod:`geoinv.light`), robustly, as brows, beards and cast shadows are no light. What
stays: highlights, cast shadows, and the colour of the light, which cannot be told from that of the skin.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ...light import sh_basis
from ...light.spherical_harmonics import GAMMA
from .regions import SkinRegions
from .surface import HeadSurface

FloatArray = NDArray[np.float64]

_LEAST_SEEN = 60  # vertices of skin from which a light is told
_ROUNDS = 6
_RIDGE = 0.004  # pull of all but the constant harmonic to zero, of the data's weight
_OUTLIER = 0.15  # of the brightness, from which a vertex counts little
_LIMITS = (0.35, 2.0)  # of the light beside its mean over the face
_STIFFNESS = 0.1  # smoothing of the field that is carried on to what was not seen


def shade_of_skin(
    surface: HeadSurface, colours: FloatArray, weight: FloatArray, regions: SkinRegions
) -> FloatArray | None:
    """Factors [V] that light put on the skin's display colours, 1 in the face's mean; None where too little is seen.

    Args:
        surface: The fitted surface.
        colours: [V, 3] the photo's display colours, 0 to 255.
        weight: [V] how much the photo tells of each vertex.
        regions: Regions of the skin.
    """
    rows = np.flatnonzero((weight > 0.3) & regions.face & ~surface.topology.features)
    if len(rows) < _LEAST_SEEN:
        return None
    brightness = (colours.mean(axis=1) / 255.0).clip(1e-3) ** GAMMA
    basis = np.asarray(sh_basis(torch.from_numpy(surface.normals)).numpy(), np.float64)
    light = _fitted(basis[rows], brightness[rows] / np.median(brightness[rows]), weight[rows])
    received = basis @ light
    relative = np.asarray(received / received[rows].mean(), np.float64)
    shade = np.clip(relative, *_LIMITS) ** (1.0 / GAMMA)
    # carried on as colours are: what was not seen has the light of its neighbours, not that of its own normal
    found = surface.fields.spread(np.log(shade)[:, None], weight, _STIFFNESS)[:, 0]
    return np.asarray(np.exp(found))


def _fitted(basis: FloatArray, brightness: FloatArray, weight: FloatArray) -> FloatArray:
    """[9] coefficients by reweighted least squares (Geman and McClure's weights)."""
    trust = weight.copy()
    ridge = np.diag([0.0, *[_RIDGE * weight.sum()] * (basis.shape[1] - 1)])
    light: FloatArray = np.zeros(basis.shape[1])
    for _ in range(_ROUNDS):
        weighted = basis * trust[:, None]
        light = np.asarray(
            np.linalg.solve(basis.T @ weighted + ridge + 1e-9 * np.eye(len(light)), weighted.T @ brightness), np.float64
        )
        error = (basis @ light - brightness) / _OUTLIER
        trust = weight / (1.0 + error**2) ** 2
    return light
