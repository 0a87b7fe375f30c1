"""The 15 mouth shapes of speech by Oculus' names, as mixes of ARKit's units: what lip-sync libraries speak.

Names: https://developers.meta.com/horizon/documentation/unity/audio-ovrlipsync-viseme-reference. The mixes are ours,
judged by eye on renders; those of both sides are given once.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ..shape import ARKIT_UNITS, expression_code

_MIXES: Mapping[str, Mapping[str, float]] = {
    "viseme_sil": {"mouthPress": 0.08},
    "viseme_PP": {"mouthRollLower": 0.3, "mouthRollUpper": 0.25, "mouthPress": 0.45, "mouthPucker": 0.1},
    "viseme_FF": {"mouthRollLower": 0.55, "mouthUpperUp": 0.45, "jawOpen": 0.06, "mouthShrugLower": 0.2},
    "viseme_TH": {"jawOpen": 0.2, "tongueOut": 0.55, "mouthLowerDown": 0.2, "mouthUpperUp": 0.15},
    "viseme_DD": {"jawOpen": 0.17, "mouthLowerDown": 0.3, "mouthUpperUp": 0.2, "mouthStretch": 0.1},
    "viseme_kk": {"jawOpen": 0.22, "mouthLowerDown": 0.2, "mouthUpperUp": 0.15, "mouthStretch": 0.15},
    "viseme_CH": {"jawOpen": 0.12, "mouthFunnel": 0.6, "mouthUpperUp": 0.15, "mouthLowerDown": 0.15},
    "viseme_SS": {"jawOpen": 0.07, "mouthStretch": 0.3, "mouthLowerDown": 0.35, "mouthUpperUp": 0.25},
    "viseme_nn": {"jawOpen": 0.15, "mouthLowerDown": 0.2, "mouthUpperUp": 0.1},
    "viseme_RR": {"jawOpen": 0.14, "mouthFunnel": 0.35, "mouthPucker": 0.2},
    "viseme_aa": {"jawOpen": 0.55, "mouthUpperUp": 0.15, "mouthLowerDown": 0.15},
    "viseme_E": {"jawOpen": 0.28, "mouthStretch": 0.3, "mouthSmile": 0.15, "mouthUpperUp": 0.1},
    "viseme_ih": {"jawOpen": 0.18, "mouthSmile": 0.25, "mouthStretch": 0.15, "mouthLowerDown": 0.15},
    "viseme_oh": {"jawOpen": 0.38, "mouthFunnel": 0.5, "mouthPucker": 0.1},
    "viseme_ou": {"jawOpen": 0.16, "mouthPucker": 0.6, "mouthFunnel": 0.25},
}

VISEMES: tuple[str, ...] = tuple(_MIXES)
"""Names in Oculus' order."""


def viseme_units(name: str) -> dict[str, float]:
    """Weights of ARKit's units by name that make a viseme of ``VISEMES``."""
    units: dict[str, float] = {}
    for unit, weight in _MIXES[name].items():
        both = (unit,) if unit in ARKIT_UNITS else (f"{unit}Left", f"{unit}Right")
        units |= dict.fromkeys(both, weight)
    return units


def viseme_code(name: str) -> Tensor:
    """Expression code [1, 52] of a viseme."""
    return expression_code(viseme_units(name))
