"""Curves as a table in the columns of Epic's app Live Link Face, which Unreal, Maya and Blender read by their names.

Names and order are those of a take that the app recorded: a timecode HH:MM:SS:FF.sss, the number of curves, 52 weights,
and nine angles in radians.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..files import atomic_path
from ..shape import ARKIT_UNITS
from .performance import Performance

_SIDES = ("Left", "Right")
_SWAPPED = {"jawLeft": "jawRight", "jawRight": "jawLeft", "mouthLeft": "mouthRight", "mouthRight": "mouthLeft"}

_EYE_NAMES = ("eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide")
_IN_ORDER = (
    *(f"{name}{side}" for side in _SIDES for name in _EYE_NAMES),
    *(_SWAPPED.get(name, name) for name in ARKIT_UNITS if not name.startswith("eye")),  # the app has right before left
)
ANGLES = (
    *("HeadYaw", "HeadPitch", "HeadRoll"),
    *(f"{side}Eye{angle}" for side in _SIDES for angle in ("Yaw", "Pitch", "Roll")),
)
COLUMNS = ("Timecode", "BlendshapeCount", *(name[0].upper() + name[1:] for name in _IN_ORDER), *ANGLES)
"""Columns of the table in their order."""


def write_live_link(path: Path, performance: Performance) -> None:
    """Write the curves of a performance as .csv, whole or not at all.

    Angles of the head are from looking straight into the camera: yaw is positive to the person's left, pitch is
    positive down, roll is positive where the head leans to the person's right. Those of the eyes are within the head.
    """
    weights = performance.expression[:, [ARKIT_UNITS.index(name) for name in _IN_ORDER]]
    rows = np.concatenate([weights, _head_angles(performance), _eye_angles(performance)], axis=1)
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for number, row in enumerate(rows):
        table.writerow([timecode(number, performance.fps), len(COLUMNS) - 2, *(f"{value:.10f}" for value in row)])
    with atomic_path(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="ascii", newline="")


def timecode(frame: int, fps: float) -> str:
    """``00:00:04:03.000``: hours, minutes, seconds, and frames within the second with their fraction."""
    seconds = int((frame + 1e-6) / fps)
    rest = max(frame - seconds * fps, 0.0)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02d}:{minute:02d}:{second:02d}:{rest:06.3f}"


def _head_angles(performance: Performance) -> NDArray[np.float64]:
    """[T, 3] yaw, pitch and roll of the head."""
    return np.asarray(Rotation.from_matrix(performance.head_turns()).as_euler("YXZ"))


def _eye_angles(performance: Performance) -> NDArray[np.float64]:
    """[T, 6] yaw, pitch and roll of the left and the right eye."""
    angles = np.zeros((len(performance), 2, 3))
    angles[..., 0], angles[..., 1] = performance.gaze[..., 0], -performance.gaze[..., 1]
    return angles.reshape(len(performance), 6)
