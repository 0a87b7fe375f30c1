"""The parameters of a synthetic head: all that the renderer needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Light:
    """Light on a head: soft light from everywhere, and a sharp lamp. Colours are linear RGB.

    Args:
        soft: [9, 3] coefficients of the soft light (:mod:`geoinv.light`), in world axes.
        direction: [3] unit vector from the head to the main light: the lamp, and what shines on skin and eyes.
        lamp: [3] colour that the lamp gives to a white surface that faces it; 0 without a sharp lamp.
        total: [9, 3] coefficients of both together, as well as order 2 can hold a lamp.
    """

    soft: Vector
    direction: Vector
    lamp: Vector
    total: Vector


@dataclass(frozen=True)
class TeethLook:
    """What a head's teeth look like; the average set is 1 in every size.

    Args:
        arch: Width of the whole set.
        width: Width of each tooth along the arch; less leaves gaps.
        height: Height of each tooth.
        shapes: [2] shares of two crooked sets of teeth, 0 or more.
        color: [3] linear RGB of the enamel.
    """

    arch: float
    width: float
    height: float
    shapes: Vector
    color: Vector


@dataclass(frozen=True)
class HeadParameters:
    """All that the renderer needs to draw a head. Colours are linear RGB in [0, 1].

    Args:
        targets: Weight by name of each MakeHuman shape target.
        expression: Weight by name of each face unit.
        gaze: Offsets of the irises to image right and up, in radii of the eyeball.
        smile: Size of the smile, at most 1.1.
        mouth_open: Opening of the mouth; 0 is closed.
        teeth: Look of the teeth.
        male: Blend from feminine (0) to masculine (1).
        age: Blend from young (0) to old (1).
        child: Blend from grown up (0) to a child (1).
        dark: Weight of the dark skin textures in [0, 1].
        asian: Weight of MakeHuman's Asian shapes in [0, 1].
        skin_variants: [3] shares of the three skin textures of each age, sex and tone.
        skin_tint: [3] factor on the skin's colour.
        redness: Redness of nose and cheeks in [0, 1].
        freckles: Density of freckles in [0, 1].
        gloss: Strength of highlights on skin.
        eye_color: [3] colour of the iris.
        hair: Name of the hair style, or None for a shaved or cropped head.
        hair_color: [3] colour of hair, brows and beard.
        buzz: Density of cropped hair on the scalp in [0, 1].
        brows: Name of the brows' style.
        brow_strength: Opacity of the brows in [0.3, 1].
        lash_strength: Strength of the lashes in [0, 1].
        beard: [4] density over moustache, chin, jaw and cheek in [0, 1].
        beard_length: Length of the beard in [0, 1].
        glasses: Style of the glasses, or None.
        glasses_size: Scale of the glasses.
        glasses_color: [3] colour of their frame.
        cloth_color: [3] colour of the clothes.
        collar_height: Height of the collar in world units, from its mean.
        v_neck: Depth of the neckline in [0, 1].
        light: Light on the head.
    """

    targets: dict[str, float]
    expression: dict[str, float]
    gaze: tuple[float, float]
    smile: float
    mouth_open: float
    teeth: TeethLook
    male: float
    age: float
    child: float
    dark: float
    asian: float
    skin_variants: Vector
    skin_tint: Vector
    redness: float
    freckles: float
    gloss: float
    eye_color: Vector
    hair: str | None
    hair_color: Vector
    buzz: float
    brows: str
    brow_strength: float
    lash_strength: float
    beard: Vector
    beard_length: float
    glasses: str | None
    glasses_size: float
    glasses_color: Vector
    cloth_color: Vector
    collar_height: float
    v_neck: float
    light: Light
