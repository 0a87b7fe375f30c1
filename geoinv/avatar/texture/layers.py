"""Layers of the skin's texture: each tells colours of some part of the surface, and how surely."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .rasterise import Coverage
from .regions import SkinRegions, UsualColours
from .surface import HeadSurface

FloatArray = NDArray[np.float64]
_MATCH_STIFFNESS = 60.0  # smoothing of colour differences between layers: neighbours within some centimetres
_BASE_STIFFNESS = 0.02
_USUAL_WEIGHT = 0.002  # of the usual colours beside what is seen: they win some vertices away from it
_KNOWN = 0.3  # weight from which a layer's own colour is compared with another's


@dataclass(frozen=True, eq=False)
class Layer:
    """One source of colours.

    Args:
        weight: [V] how surely it tells the colour of each vertex, 0 to 1.
        colours: [V, 3] its colours at the vertices, 0 to 255.
        texels: Colours [N, 3] and further weights [N] at some texels, from the weights [N, V] of the vertices there.
    """

    weight: FloatArray
    colours: FloatArray
    texels: Callable[[Coverage], tuple[NDArray[np.float32], NDArray[np.float32]]]


def matched(
    surface: HeadSurface, layers: Sequence[Layer], regions: SkinRegions, usual: UsualColours | None
) -> tuple[list[FloatArray], FloatArray]:
    """What is added to each layer's colours so that layers go over into one another, and the smooth rest.

    Layers come by trust, the surest first. Each is compared with those before it where both know, and the difference
    is carried on smoothly, so that no edge is left where one ends. Where no layer knows, ``usual`` colours are taken.

    Returns:
        A correction [V, 3] for each layer, and colours [V, 3] of all vertices: where no layer knows, carried on from
        those where one does, and farther away those of the person's hair, skin and clothes.
    """
    count = surface.topology.count
    total, mixed = np.zeros(count), np.zeros((count, 3))
    corrections = []
    for layer in layers:
        if total.any():
            both = np.minimum(total, layer.weight)
            known = mixed / np.maximum(total, 1e-6)[:, None]
            both[both <= _KNOWN] = 0.0
            correction = surface.fields.spread(known - layer.colours, both, _MATCH_STIFFNESS)
        else:
            correction = np.zeros((count, 3))
        corrections.append(correction)
        share = layer.weight * (1.0 - total)
        mixed += share[:, None] * (layer.colours + correction)
        total += share
    known = mixed / np.maximum(total, 1e-6)[:, None]
    if usual is None:
        return corrections, surface.fields.spread(known, total, _BASE_STIFFNESS)
    faint = np.where(usual.are_known(regions), _USUAL_WEIGHT * (1.0 - total), 0.0)
    weight = total + faint
    data = (mixed + faint[:, None] * usual.on(regions)) / np.maximum(weight, 1e-9)[:, None]
    return corrections, surface.fields.spread(data, weight, _BASE_STIFFNESS)
