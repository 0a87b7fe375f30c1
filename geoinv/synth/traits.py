"""Tables of the shape and expression dimensions of a synthetic head, made of MakeHuman targets.

Target names are ``folder/name`` below MakeHuman's ``targets`` folder, or ``expression/name`` for the ARKit face units.
A name with ``{s}`` stands for the same target on both sides.
"""

from __future__ import annotations

from typing import NamedTuple


class ShapeTrait(NamedTuple):
    """A signed shape dimension: ``low`` grows with negative z, ``high`` with positive z.

    Args:
        name: Name of the dimension.
        low: Target for negative values.
        high: Target for positive values.
        scale: Target weight at |z| = 1.
        mean: Weight added for every head.
    """

    name: str
    low: str
    high: str
    scale: float
    mean: float = 0.0


def _pair(name: str, stem: str, scale: float, ends: str = "decr/incr", mean: float = 0.0) -> ShapeTrait:
    low, high = ends.split("/")
    return ShapeTrait(name, f"{stem}-{low}", f"{stem}-{high}", scale, mean)


SHAPE_TRAITS: tuple[ShapeTrait, ...] = (
    _pair("face-width", "head/head-scale-horiz", 0.28),
    _pair("head-depth", "head/head-scale-depth", 0.25),
    _pair("head-back", "head/head-back-scale-depth", 0.25),
    _pair("face-fat", "head/head-fat", 0.28),
    _pair("head-angle", "head/head-angle", 0.2, "in/out"),
    ShapeTrait("face-square", "head/head-oval", "head/head-square", 0.28),
    ShapeTrait("face-round", "head/head-diamond", "head/head-round", 0.25),
    ShapeTrait("face-triangle", "head/head-invertedtriangular", "head/head-triangular", 0.22),
    ShapeTrait("face-rectangle", "head/head-oval", "head/head-rectangular", 0.2),
    _pair("forehead-height", "forehead/forehead-scale-vert", 0.3),
    _pair("forehead-temple", "forehead/forehead-temple", 0.25),
    _pair("forehead-slope", "forehead/forehead-trans", 0.25, "backward/forward"),
    _pair("brow-bone", "forehead/forehead-nubian", 0.2),
    _pair("brow-angle", "eyebrows/eyebrows-angle", 0.25, "down/up", 0.3),
    _pair("brow-height", "eyebrows/eyebrows-trans", 0.33, "down/up", 0.4),
    _pair("brow-depth", "eyebrows/eyebrows-trans", 0.25, "backward/forward"),
    _pair("eye-size", "eyes/{s}-eye-scale", 0.25),
    _pair("eye-height", "eyes/{s}-eye-height2", 0.27),
    _pair("eye-spacing", "eyes/{s}-eye-trans", 0.25, "in/out"),
    _pair("eye-slant-inner", "eyes/{s}-eye-corner1", 0.25, "down/up"),
    _pair("eye-slant-outer", "eyes/{s}-eye-corner2", 0.3, "down/up"),
    _pair("eye-bag", "eyes/{s}-eye-bag", 0.25),
    _pair("eye-fold", "eyes/{s}-eye-eyefold", 0.3, "down/up"),
    _pair("eye-depth", "eyes/{s}-eye-push1", 0.25, "in/out"),
    _pair("epicanthus", "eyes/{s}-eye-epicanthus", 0.25, "in/out"),
    _pair("nose-width", "nose/nose-scale-horiz", 0.33),
    _pair("nose-length", "nose/nose-scale-vert", 0.28),
    _pair("nose-depth", "nose/nose-scale-depth", 0.3),
    _pair("nose-hump", "nose/nose-hump", 0.28),
    _pair("nose-curve", "nose/nose-curve", 0.28, "concave/convex"),
    _pair("nose-point", "nose/nose-point", 0.28, "down/up"),
    _pair("nose-point-width", "nose/nose-point-width", 0.28),
    _pair("nose-flare", "nose/nose-flaring", 0.28),
    _pair("nose-bridge-width", "nose/nose-width1", 0.28),
    _pair("nose-height", "nose/nose-trans", 0.2, "down/up"),
    _pair("nose-volume", "nose/nose-volume", 0.28),
    _pair("mouth-width", "mouth/mouth-scale-horiz", 0.33),
    _pair("mouth-height", "mouth/mouth-trans", 0.22, "down/up"),
    _pair("mouth-depth", "mouth/mouth-scale-depth", 0.22),
    _pair("upper-lip", "mouth/mouth-upperlip-height", 0.3),
    _pair("lower-lip", "mouth/mouth-lowerlip-height", 0.3),
    _pair("lip-volume", "mouth/mouth-lowerlip-volume", 0.25),
    _pair("cupids-bow", "mouth/mouth-cupidsbow", 0.28),
    _pair("laugh-lines", "mouth/mouth-laugh-lines", 0.25, "in/out"),
    _pair("mouth-corners", "mouth/mouth-angles", 0.2, "down/up", 0.1),
    _pair("ear-size", "ears/{s}-ear-scale", 0.25),
    _pair("ear-wing", "ears/{s}-ear-wing", 0.28, mean=-0.1),
    _pair("jaw-drop", "chin/chin-jaw-drop", 0.22),
    _pair("chin-width", "chin/chin-width", 0.3),
    _pair("chin-height", "chin/chin-height", 0.25),
    _pair("chin-prominence", "chin/chin-prominent", 0.28),
    _pair("chin-cleft", "chin/chin-cleft", 0.2, mean=-0.1),
    _pair("jaw-bones", "chin/chin-bones", 0.28),
    _pair("underbite", "chin/chin-prognathism", 0.18),
    _pair("cheek-bones", "cheek/{s}-cheek-bones", 0.3),
    _pair("cheek-volume", "cheek/{s}-cheek-volume", 0.28),
    _pair("neck-width", "neck/neck-scale-horiz", 0.25),
)
"""Signed shape dimensions in the order of their places in z."""

ASYMMETRY_TRAITS: tuple[ShapeTrait, ...] = (
    _pair("asymmetric-brow", "asym/asym-brown-1", 0.07, "l/r"),
    _pair("asymmetric-jaw", "asym/asym-jaw-1", 0.07, "l/r"),
    _pair("asymmetric-mouth", "asym/asym-mouth-1", 0.07, "l/r"),
    _pair("asymmetric-nose", "asym/asym-nose-1", 0.07, "l/r"),
)
"""Small differences between the sides of the face, in the order of their places in z."""


class ExpressionTrait(NamedTuple):
    """An expression of size ``clip(offset + scale * z, 0, limit)``, softened at both ends.

    Args:
        name: Name of the expression.
        units: Face units and their weights at size 1; ``{s}`` stands for ``Left`` and ``Right``.
        offset: Size at z = 0.
        scale: Growth per unit of z.
        limit: Largest size.
    """

    name: str
    units: dict[str, float]
    offset: float
    scale: float
    limit: float


BROAD_SMILE = 0.4
"""Size of a smile from which lips part and teeth show."""
TEETH_OF_BROAD_SMILE = 0.75
"""Growth of ``lips-parted`` for a larger smile."""
JAW_OF_BROAD_SMILE = 0.2
"""Growth of ``mouth-open`` for a larger smile."""

EXPRESSION_TRAITS: tuple[ExpressionTrait, ...] = (
    ExpressionTrait("smile", {"mouthSmile{s}": 1.1, "cheekSquint{s}": 0.5, "mouthUpperUp{s}": 0.3}, 0.32, 0.55, 1.1),
    ExpressionTrait("mouth-open", {"jawOpen": 1.0}, -0.26, 0.3, 0.85),
    ExpressionTrait("brows-raised", {"browInnerUp": 2.0, "browOuterUp{s}": 2.0, "eyeWide{s}": 0.3}, -0.14, 0.26, 1.0),
    ExpressionTrait("brows-lowered", {"browDown{s}": 1.8}, -0.4, 0.24, 0.8),
    ExpressionTrait("eyes-closed", {"eyeBlink{s}": 1.0}, -0.4, 0.42, 1.0),
    ExpressionTrait("squint", {"eyeSquint{s}": 2.0}, -0.05, 0.22, 0.8),
    ExpressionTrait("pucker", {"mouthPucker": 1.7}, -0.34, 0.26, 0.8),
    ExpressionTrait("frown", {"mouthFrown{s}": 1.7}, -0.28, 0.24, 0.7),
    ExpressionTrait("lips-parted", {"mouthUpperUp{s}": 0.9, "mouthLowerDown{s}": 1.8}, -0.2, 0.24, 0.7),
    ExpressionTrait("mouth-stretch", {"mouthStretch{s}": 1.2}, -0.3, 0.2, 0.6),
)
"""Expressions in the order of their places in z; most heads are neutral to moderately smiling."""

FADED_BY: dict[str, tuple[str, float]] = {
    "frown": ("smile", 3.0),
    "pucker": ("smile", 3.0),
    "mouth-stretch": ("smile", 1.5),
    "brows-lowered": ("brows-raised", 4.0),
}
"""Expressions that people do not make at once with another: which, and how fast the first fades as that grows."""
FADES_FROM = 0.35
"""Size of the other expression from which they fade."""
