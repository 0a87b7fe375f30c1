"""A performance that is known: curves of expression, gaze and camera for each frame of a made clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoinv.shape import ARKIT_UNITS

Curve = NDArray[np.float64]

JUDGED = (
    *("jawOpen", "eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "mouthSmileRight"),
    *("browInnerUp", "browOuterUpLeft", "browOuterUpRight", "browDownLeft", "browDownRight"),
)
"""Units that are compared with the truth."""


@dataclass(frozen=True)
class Performance:
    """What the face of a made clip does.

    Args:
        expression: [T, 52] weights of ARKit's units.
        gaze: [T, 2] offsets of the irises to image right and up, in radii of the eyeball.
        angles: [T, 3] yaw, pitch, roll of the camera in radians.
        place: [T, 2] middle of the head in the frame, in parts of the crop's side from the frame's middle.
    """

    expression: Curve
    gaze: Curve
    angles: Curve
    place: Curve

    def __len__(self) -> int:
        return len(self.expression)


def performance(frames: int, fps: float, seed: int = 0) -> Performance:
    """Blinks, speech, smiles, raised and lowered brows, with a head that moves, for each of ``frames``."""
    random = np.random.default_rng(seed)
    time = np.arange(frames) / fps
    length = frames / fps

    def swing(slow: float) -> Curve:
        """Smooth random curve of about unit size whose waves take ``slow`` seconds and less."""
        waves = [np.sin(2.0 * np.pi * (time * k / slow + random.random())) / k for k in (0.5, 0.8, 1.3)]
        return np.asarray(sum(waves) / 2.2)

    def pulses(every: float, rise: float, hold: float, size: tuple[float, float], first: float) -> Curve:
        """Pulses that start about each ``every`` seconds, rise and fall in ``rise`` and stay for ``hold`` seconds."""
        curve, start = np.zeros(frames), first
        while start < length:
            inside = np.minimum(time - start, start + 2.0 * rise + hold - time) / rise
            step = np.clip(inside, 0.0, 1.0)
            curve = np.maximum(curve, random.uniform(*size) * step * step * (3.0 - 2.0 * step))
            start += every * random.uniform(0.8, 1.2)
        return curve

    units = dict.fromkeys(ARKIT_UNITS, np.zeros(frames))
    speech = np.clip(0.5 + 0.9 * np.sin(2.0 * np.pi * 2.2 * time) * swing(1.0), 0.0, 1.0)
    units["jawOpen"] = 0.45 * speech * pulses(3.1, 0.25, 1.1, (0.8, 1.0), 0.9)
    units["mouthPucker"] = 0.5 * pulses(4.7, 0.2, 0.25, (0.6, 1.0), 3.4)
    blink = pulses(1.9, 0.1, 0.04, (0.85, 1.0), 0.5)
    wink = pulses(6.0, 0.15, 0.3, (0.7, 0.9), 3.9)
    units["eyeBlinkLeft"], units["eyeBlinkRight"] = np.maximum(blink, wink), blink
    smile = pulses(3.7, 0.45, 0.9, (0.5, 0.9), 1.6)
    smirk = pulses(7.0, 0.4, 0.4, (0.4, 0.6), 4.4)
    units["mouthSmileLeft"], units["mouthSmileRight"] = smile, np.maximum(smile, smirk)
    raised = pulses(4.1, 0.3, 0.5, (0.6, 1.0), 0.4)
    outer = pulses(8.0, 0.3, 0.4, (0.6, 0.9), 5.6)
    lowered = pulses(4.3, 0.35, 0.6, (0.5, 0.9), 2.6) * (1.0 - np.clip(2.0 * (raised + outer), 0.0, 1.0))
    units["browInnerUp"] = raised
    units["browOuterUpLeft"], units["browOuterUpRight"] = np.maximum(raised, outer), raised
    units["browDownLeft"] = units["browDownRight"] = lowered
    angles = np.stack([0.22 * swing(3.0), 0.08 * swing(2.2), 0.06 * swing(2.7)], axis=1)
    gaze = np.stack([0.2 * swing(1.7), 0.1 * swing(1.9)], axis=1)
    place = np.stack([0.06 * swing(3.0), 0.04 * swing(2.0)], axis=1)
    return Performance(np.stack([units[name] for name in ARKIT_UNITS], axis=1), gaze, angles, place)
