"""Colours of what lies in the mouth: teeth with gums, and the tongue. No photo shows enough of them to be used."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ...shape import HeadModel
from .rasterise import Coverage, draw_triangles
from .skin import padded

TONGUE_SIZE = 256
_TONGUE_TIP, _TONGUE_ROOT = (186.0, 98.0, 98.0), (96.0, 38.0, 40.0)
_SEED = 11


def draw_tongue(model: HeadModel, size: int = TONGUE_SIZE) -> NDArray[np.uint8]:
    """Texture [size, size, 3] of the tongue: paler at its tip, with buds.

    Its island fills the texture, as in :mod:`geoinv.avatar.parts`.
    """
    part = model.parts["tongue"]
    uvs = model.uvs[part.corners].double().numpy()
    low, high = uvs.min(axis=0), uvs.max(axis=0)
    places = (uvs - low) / (high - low) * (size, -size) + (0.0, size)
    triangles = (model.corner_triangles[part.triangles] - part.corners.start).numpy()
    depth = model.mean[model.corner_vertices[part.corners], 2].double().numpy()
    front = ((depth - depth.min()) / np.ptp(depth))[:, None]
    colours = np.asarray(_TONGUE_ROOT) * (1.0 - front) + np.asarray(_TONGUE_TIP) * front
    coverage = Coverage.of(draw_triangles(places, triangles, (size, size)), places, triangles)
    buds = np.random.default_rng(_SEED).normal(1.0, 0.035, len(coverage.pixels))[:, None]
    texture = np.zeros((size * size, 3), np.uint8)
    texture[coverage.pixels] = np.rint((coverage.bring(colours) * buds).clip(0.0, 255.0))
    return padded(texture.reshape(size, size, 3), coverage.pixels)


def teeth_colours(model: HeadModel) -> NDArray[np.float32]:
    """sRGB [T, 3] in [0, 1] of the fine teeth, darker towards the back of the mouth, where less light comes."""
    with torch.no_grad():
        places = model.teeth.on(model.mean[None])[0].numpy()
    depth = places[:, 2]
    light = np.clip((depth - depth.min()) / np.ptp(depth), 0.0, 1.0)
    return np.asarray(model.teeth.colours.numpy() * (0.45 + 0.55 * light)[:, None], dtype=np.float32)
