"""What the renderer needs to know of a head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Light:
    """Key light, sky and ground in linear RGB; ``direction`` points from the head to the key light."""

    direction: Vector
    key: Vector
    sky: Vector
    ground: Vector


@dataclass(frozen=True)
class HeadParameters:
    """Everything that the renderer needs to know of a head. Colours are linear RGB in [0, 1]."""

    targets: dict[str, float]
    expression: dict[str, float]
    gaze: tuple[float, float]
    smile: float
    mouth_open: float
    male: float
    age: float
    dark: float
    asian: float
    skin_variant: int
    skin_tint: Vector
    gloss: float
    eye_color: Vector
    hair: str | None
    hair_color: Vector
    buzz: float
    brows: str
    brow_strength: float
    lash_strength: float
    beard: Vector  # [4] strength over moustache, chin, jaw and cheek
    beard_length: float
    glasses: str | None
    glasses_size: float
    glasses_color: Vector
    cloth_color: Vector
    collar_height: float
    v_neck: float
    light: Light
