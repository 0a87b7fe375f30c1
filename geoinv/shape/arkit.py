"""The 52 expression units of ARKit's face tracking, by Apple's names: what engines and avatars speak.

``Left`` and ``Right`` are the person's own: the left side is at world +x, which is image right in a frontal view.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import UsageError

ARKIT_UNITS: tuple[str, ...] = (
    *("eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft"),
    *("eyeSquintLeft", "eyeWideLeft"),
    *("eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight"),
    *("eyeSquintRight", "eyeWideRight"),
    *("jawForward", "jawLeft", "jawRight", "jawOpen"),
    *("mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight"),
    *("mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight"),
    *("mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight"),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *("mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight"),
    *("mouthUpperUpLeft", "mouthUpperUpRight"),
    *("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    *("cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut"),
)
"""Names in Apple's order, which is that of the columns of an expression code."""

_OPPOSED = ("jaw", "mouth", "eyeLookIn", "eyeLookOut")  # whose left and right are no two halves of one movement

UNIT_PAIRS: tuple[tuple[int, int], ...] = tuple(
    (index, ARKIT_UNITS.index(name.removesuffix("Left") + "Right"))
    for index, name in enumerate(ARKIT_UNITS)
    if name.endswith("Left") and name.removesuffix("Left") not in _OPPOSED
)
"""(left, right) columns of the units that both halves of a face mostly do together."""


def expression_code(units: Mapping[str, float]) -> Tensor:
    """Expression code [1, 52] of named units; those not named are 0.

    Args:
        units: Weights by ARKit's names: 0 is at rest, 1 is the full movement.

    Raises:
        UsageError: A name that is not ARKit's.
    """
    code = torch.zeros(1, len(ARKIT_UNITS))
    for name, weight in units.items():
        if name not in ARKIT_UNITS:
            near = difflib.get_close_matches(name, ARKIT_UNITS, n=3, cutoff=0.5)
            raise UsageError(f"no expression unit {name!r}", f"did you mean {' or '.join(near)}?" if near else None)
        code[0, ARKIT_UNITS.index(name)] = weight
    return code
