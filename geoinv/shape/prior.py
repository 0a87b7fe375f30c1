"""Prior of a head and its camera, before a photo is looked at: independent Gaussians, and paired units.

Identity codes are standard normal by construction. How far faces in photos move each of ARKit's units is a judgement:
jaws, lips and brows move a lot, jaws rarely go aside. Units of the left and right side mostly go together.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from .arkit import ARKIT_UNITS, UNIT_PAIRS

_UNIT_DEVIATION = 0.2
_UNIT_DEVIATIONS = {
    **dict.fromkeys(("mouthSmile", "eyeBlink", "browInnerUp", "browOuterUp", "browDown", "eyeSquint"), 0.6),
    **dict.fromkeys(("jawOpen", "mouthPucker", "mouthUpperUp", "mouthLowerDown", "mouthStretch", "mouthFrown"), 0.4),
    **dict.fromkeys(("eyeWide", "cheekSquint", "mouthPress", "mouthDimple", "noseSneer"), 0.3),
    **dict.fromkeys(("jawLeft", "jawRight", "jawForward", "mouthLeft", "mouthRight", "mouthClose"), 0.1),
}
_PAIR_DEVIATION = 0.35
"""Standard deviation of the difference of a pair of units, as a part of the units' own."""

_CAMERA_DEVIATIONS = (1.0, 0.5, 0.5, 0.1, 0.1, 0.12)
"""Yaw, pitch, roll in radians, shift in world units; the distance is that of the synthetic heads' cameras."""


@cache
def expression_precision() -> Tensor:
    """[52, 52] inverse covariance of the expression code, float64; its mean is 0."""
    deviation = torch.tensor([_deviation_of(name) for name in ARKIT_UNITS], dtype=torch.float64)
    precision = torch.diag(deviation**-2)
    for left, right in UNIT_PAIRS:
        tie = (_PAIR_DEVIATION * deviation[left]) ** -2
        precision[left, left] += tie
        precision[right, right] += tie
        precision[left, right] -= tie
        precision[right, left] -= tie
    return precision


def camera_precision() -> Tensor:
    """[6, 6] inverse covariance of ``CameraPose.as_vector``, float64."""
    return torch.diag(torch.tensor(_CAMERA_DEVIATIONS, dtype=torch.float64) ** -2)


def _deviation_of(unit: str) -> float:
    return _UNIT_DEVIATIONS.get(
        unit.removesuffix("Left").removesuffix("Right"), _UNIT_DEVIATIONS.get(unit, _UNIT_DEVIATION)
    )
