"""Where lips, teeth and tongue lie in avatars, so that a mouth is shut at rest and shows a dark throat when it opens.

MakeHuman's tongue fills the closed mouth up to the palate, its teeth end where the upper lip does, and its lips are a
millimetre apart. So teeth shone between lips at rest, and a mouth that opened showed the tongue as a wall behind the
lower teeth and no upper tooth.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..conventions import MM_PER_UNIT
from .arkit import ARKIT_UNITS
from .lip_points import CORNERS, LOWER, UPPER
from .model import HeadModel

TEETH_TINT = (1.0, 0.98, 0.94)
"""Factors to the colours of the model's teeth, which are bluish."""

_MM = 1.0 / MM_PER_UNIT
_TEETH_LOWER = 2.0  # mm; upper front teeth end some millimetres below a lip at rest, lower ones behind theirs
_TONGUE_LOWER = 15.0 * _MM  # of the top of the tongue's body; its tip stays behind the lower teeth
_FROM_TIP = (4.0 * _MM, 34.0 * _MM)  # behind the tip: where it begins to lie lower, and where all of it does
_GAP = 1.9 * _MM  # between the mean head's lips, at most
_OF_UPPER = 0.2  # of it, by which the upper lip sinks; the lower one rises by all of it
_RIM_REACH = (3.0 * _MM, 10.0 * _MM)  # from the rims, where lips begin to follow less, and where nothing follows


@lru_cache(maxsize=4)
def mouth_offsets(model: HeadModel, upper_mm: float = _TEETH_LOWER) -> Tensor:
    """World units [V, 3] that are added to the model's vertices: teeth lower, and the tongue flat on the floor.

    Args:
        model: Head model.
        upper_mm: By how much the upper teeth lie lower, millimetres.
    """
    offsets = torch.zeros_like(model.mean)
    for name, lower in (("upper-teeth", upper_mm), ("lower-teeth", _TEETH_LOWER)):
        offsets[model.parts[name].vertices, 1] = -lower * _MM
    rows = model.parts["tongue"].vertices
    height, depth = model.mean[rows, 1], model.mean[rows, 2]
    share = (height - height.min()) / (height.max() - height.min())  # its underside stays on the floor
    offsets[rows, 1] = -_TONGUE_LOWER * share * _smooth(depth.max() - depth, *_FROM_TIP)
    return offsets


def shut_lips(model: HeadModel, vertices: Tensor) -> Tensor:
    """World units [V, 3] that bring together the rims of lips at rest, and the skin about them.

    Args:
        model: Head model.
        vertices: [V, 3] of the person at rest.
    """
    gap = max(0.0, _GAP + float(_apart(model, vertices) - _apart(model, model.mean)))
    offsets = torch.zeros_like(model.mean)
    offsets[model.parts["skin"].vertices, 1] = gap * _closing(model)
    return offsets


def lip_rims(model: HeadModel, vertices: Tensor) -> Tensor:
    """[20, 3] points on the rims of the upper and the lower lip of a head [V, 3], and at the corners."""
    return model.landmarks468.on(vertices[None])[0, [*UPPER, *LOWER, *CORNERS]]


def parted_mm(rims: Tensor) -> float:
    """Millimetres between the rims of lips, as :func:`lip_rims` gives them, where they are farthest apart."""
    upper, lower = rims[: len(UPPER), 1], rims[len(UPPER) : -len(CORNERS), 1]
    return float((upper - lower).max()) * MM_PER_UNIT


@lru_cache(maxsize=2)
def mouth_bag(model: HeadModel) -> Tensor:
    """[V] whether a vertex is of the skin behind the lips, which is an island of the texture of its own."""
    skin = model.parts["skin"]
    triangles, places = model.corner_triangles[skin.triangles], model.mean[model.corner_vertices]
    tongue = model.mean[model.parts["tongue"].vertices].mean(dim=0)
    reached = torch.zeros(len(places), dtype=torch.bool)
    reached[skin.corners][(places[skin.corners] - tongue).norm(dim=1).argmin()] = True
    count = 0
    while int(reached.sum()) > count:
        count = int(reached.sum())
        reached[triangles[reached[triangles].any(dim=1)]] = True
    is_bag = torch.zeros(len(model.mean), dtype=torch.bool)
    is_bag[model.corner_vertices[reached]] = True
    return is_bag


def _apart(model: HeadModel, vertices: Tensor) -> Tensor:
    """How far the points on the rims of a head [V, 3] are apart, in the mean."""
    points = model.landmarks468.on(vertices)[:, 1]
    return (points[list(UPPER)] - points[list(LOWER)]).mean()


@lru_cache(maxsize=2)
def _closing(model: HeadModel) -> Tensor:
    """[V] of the skin: parts of the gap by which vertices rise; the lower lip is what goes with the jaw."""
    rows, points = model.parts["skin"].vertices, model.landmarks468
    jaw = -model.expression_basis[ARKIT_UNITS.index("jawOpen"), :, 1:2]
    right, left = CORNERS
    columns = points.on(model.mean)[[right, *LOWER, left], 0].numpy()
    upper, lower = (points.on(jaw)[[right, *rim, left], 0].numpy() for rim in (UPPER, LOWER))
    x = model.mean[rows, 0].numpy()
    of_upper, of_lower = np.interp(x, columns, upper), np.interp(x, columns, lower)
    share = ((jaw[rows, 0].numpy() - of_upper) / np.maximum(of_lower - of_upper, _MM)).clip(0.0, 1.0)
    gap = np.interp(x, columns, [0.0] + [1.0] * len(LOWER) + [0.0])
    away = torch.cdist(model.mean[rows], points.on(model.mean)[list(UPPER + LOWER)]).min(dim=1).values
    rises = torch.from_numpy(gap * (share - _OF_UPPER * (1.0 - share))).to(away)
    return rises * (1.0 - _smooth(away, *_RIM_REACH))


def _smooth(values: Tensor, start: float, stop: float) -> Tensor:
    share = ((values - start) / (stop - start)).clamp(0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)
