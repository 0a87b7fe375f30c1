"""Codes of the head model for heads of the sampler: what an encoder or a generator is taught with.

Expression and gaze are read off the sampler's parameters; identity is the weighted least-squares fit to the head at
rest.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from ..conventions import MM_PER_UNIT
from ..shape import ARKIT_UNITS, HeadCodes, HeadModel
from .assets import FloatArray
from .dataset import draw_latent
from .geometry import HeadGeometry, HeadShape
from .parameters import HeadParameters
from .sampler import HeadSampler
from .shape_basis import above_collar, model_mesh, vertex_weights


class HeadCoder:
    """Gives the codes of sampler heads.

    Args:
        model: Head model.
        geometry: Builds the heads.
    """

    def __init__(self, model: HeadModel, geometry: HeadGeometry) -> None:
        mesh = model_mesh(geometry)
        self._rows = mesh.rows_of(geometry)
        self._mean = model.mean.numpy()
        weights = vertex_weights(geometry.average().neutral[self._rows], mesh)
        basis = model.identity_basis.flatten(1).numpy()  # [I, 3 V]
        weighted = basis * np.repeat(weights, 3)
        self._solver: FloatArray = np.linalg.solve(weighted @ basis.T, weighted)  # [I, 3 V]

    def __call__(self, parameters: HeadParameters, shape: HeadShape) -> HeadCodes:
        """Codes of one head, batch size 1."""
        offset = (shape.neutral[self._rows] - self._mean).ravel()
        identity = torch.from_numpy(self._solver @ offset).float()[None]
        units = [parameters.expression.get(f"expression/{name}", 0.0) for name in ARKIT_UNITS]
        up = math.asin(parameters.gaze[1])
        aside = math.asin(parameters.gaze[0] / math.cos(up))  # the sampler's gaze moves the iris on the unit sphere
        return HeadCodes(identity, torch.tensor([units]), torch.tensor([[aside, up]]))


def reproduction_errors_mm(model: HeadModel, geometry: HeadGeometry, heads: int, seed: int) -> FloatArray:
    """[heads, S] distances in millimetres between sampler heads, with their expressions, and the model of their codes.

    Args:
        model: Head model.
        geometry: Builds the heads.
        heads: Number of heads.
        seed: Seed of the heads; take another than the model was made with.

    Returns:
        Distances of the S vertices of the skin above the collar.
    """
    mesh, coder, sampler = model_mesh(geometry), HeadCoder(model, geometry), HeadSampler()
    rows, rng = mesh.rows_of(geometry), np.random.default_rng(seed)
    is_bare = above_collar(geometry.average().neutral[rows], mesh)
    errors = []
    for _ in range(heads):
        parameters = sampler(draw_latent(sampler, rng))
        shape = geometry.shape(parameters.targets, parameters.expression)
        found = model.vertices(coder(parameters, shape))[0].numpy()
        errors.append(np.linalg.norm(found - shape.vertices[rows], axis=1)[is_bare] * MM_PER_UNIT)
    return np.stack(errors).astype(np.float32)
