"""The texture of an eyeball, drawn: white, iris with fibres, limbal ring and pupil.

It is drawn in Lambert's equal-area map about the axis of the eye, as the eyes of :mod:`geoinv.avatar.parts` have it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .gaze import IRIS_ANGLE, EyeLook
from .surface_fields import smoothstep

EYE_SIZE = 512
_PUPIL = 0.36  # of the iris' radius
_LID_SHADE = 0.4  # of the light that the upper lid and its lashes keep away
_LID = (0.02, 0.26)  # eyeball radii above the middle where the shade of the lid begins, and where it is full
_SEED = 7  # fibres and veins are the same for all eyes
_VEIN_COLOUR = (196.0, 110.0, 100.0)


def draw_eye(look: EyeLook, size: int = EYE_SIZE) -> NDArray[np.uint8]:
    """Texture [size, size, 3] of an eye.

    Args:
        look: Colours of iris and white.
        size: Texels along a side.
    """
    ticks = (np.arange(size) + 0.5) / size * 2.0 - 1.0
    x, y = np.meshgrid(ticks, -ticks)  # rows go down
    angle = 2.0 * np.arcsin(np.clip(np.hypot(x, y), 0.0, 1.0))  # from the axis of the eye
    around = np.arctan2(y, x)
    radius = np.sin(np.minimum(angle, 0.5 * np.pi)) / np.sin(IRIS_ANGLE)  # 1 at the edge of the iris
    white = _white(look, angle, x, y)
    iris = _iris(look, radius, around)
    within = 1.0 - smoothstep(radius, 0.93, 1.07)
    colour = white * (1.0 - within[..., None]) + iris * within[..., None]
    shade = 1.0 - _LID_SHADE * smoothstep(np.sin(np.minimum(angle, 0.5 * np.pi)) * np.sin(around), *_LID)
    return np.asarray(np.rint((colour * shade[..., None]).clip(0.0, 255.0)), np.uint8)


def _iris(look: EyeLook, radius: NDArray[np.float64], around: NDArray[np.float64]) -> NDArray[np.float64]:
    fibres = _fibres(around + 0.12 * radius, (23, 47, 96, 170)) * smoothstep(radius, 0.3, 0.6)
    collar = np.exp(-(((radius - 0.55 - 0.03 * _fibres(around, (9, 17))) / 0.1) ** 2))  # brighter about the pupil
    brightness = 1.0 + 0.16 * fibres + 0.18 * collar - 0.12 * smoothstep(radius, 0.6, 0.9)
    ring = 1.0 - 0.55 * smoothstep(radius, 0.78, 1.0)
    pupil = smoothstep(radius, _PUPIL - 0.035, _PUPIL + 0.035)
    colour = np.asarray(look.iris) * (brightness * ring)[..., None]
    return np.asarray(colour * pupil[..., None] + 8.0 * (1.0 - pupil[..., None]))


def _white(
    look: EyeLook, angle: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    colour = np.broadcast_to(np.asarray(look.white), (*angle.shape, 3))
    redness = 0.35 * smoothstep(angle, 0.6, 1.4) + 0.10 * _veins(x, y) * smoothstep(angle, 0.45, 0.9)
    strength = redness[..., None] * (np.mean(look.white) / 255.0)
    return np.asarray(colour * (1.0 - strength) + np.asarray(_VEIN_COLOUR) * strength)


def _fibres(around: NDArray[np.float64], frequencies: tuple[int, ...]) -> NDArray[np.float64]:
    random = np.random.default_rng(_SEED)
    total = np.zeros_like(around)
    for frequency in frequencies:
        total += np.sin(frequency * around + random.uniform(0.0, 2.0 * np.pi))
    return np.asarray(total / np.sqrt(len(frequencies)))


def _veins(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Thin wavy lines, 0 to 1: zero crossings of a smooth field."""
    random = np.random.default_rng(_SEED)
    field = np.zeros_like(x)
    for _ in range(12):
        direction, phase = random.uniform(0.0, 2.0 * np.pi, 2)
        frequency = random.uniform(6.0, 22.0)
        field += np.sin(frequency * (np.cos(direction) * x + np.sin(direction) * y) + phase)
    return np.asarray(np.exp(-((field / 0.25) ** 2)))
