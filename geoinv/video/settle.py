"""From what was found in each frame to a performance: gaps bridged, weights calibrated, trembling smoothed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..shape import ARKIT_UNITS, HeadModel
from .gaze import SIDES, look_units
from .performance import LOG_SCALE, Performance, X, Y
from .smoothing import bridged, smoothed

Rows = NDArray[np.float64]

UNITS = len(ARKIT_UNITS)
UNSEEN_ROW: Rows = np.full(UNITS + 4 + 6, np.nan)
"""Row of a frame without the face: expression, gaze of the left and the right eye, pose."""

LONGEST_BRIDGE_S = 0.6
"""Seconds without a face that are crossed in a straight line; a longer absence ends in a face at rest."""

_GAZE, _POSE, _ANGLES = slice(UNITS, UNITS + 4), slice(UNITS + 4, None), slice(UNITS + 4, UNITS + 7)
_CLOSED = 0.5  # weight of a blink above which the iris is not seen

_GAINS = {
    "eyeBlink": 1.3,
    "jawOpen": 1.4,
    "mouthSmile": 1.2,
    "browInnerUp": 1.7,
    "browOuterUp": 2.2,
    "browDown": 1.25,
}
"""Factors on weights. Points that are hard to read move less in the reading than in the face, and the prior holds
weights back: without these a blink closes the eye by a third. Measured on made clips of three persons."""

_REST_QUANTILE, _LARGEST_REST = 0.2, 0.2
"""A face at rest is not at 0 for the fit: the quantile of the clip that is taken for rest, and the most it may be."""

_SLOPE_COST = 0.1
"""What is read of a face at rest changes as the head turns, most where hair hangs over a brow, and brows are read a
little elsewhere over closed lids. So rest is a plane over angles and lids. Half of this times its squared slopes stands
beside the mean loss, so that an expression which comes with a turn is not all taken for the turn's."""
_REST_ROUNDS, _REST_TOLERANCE = 30, 0.01  # of weighted least squares; residuals below count as this
_LIDS = [ARKIT_UNITS.index(f"eyeBlink{side.capitalize()}") for side in SIDES]

_LOWERED, _LOWERED_QUANTILE = "browDown", 0.35
"""Raised brows hold this unit at 0, whatever it is at rest. Its rest is a quantile of the frames where it is above 0:
with all frames it was found too low, and lowered brows of five persons correlated 0.04 less with the truth."""

_QUICK = ("eye", "jaw", "mouthClose", "mouthFunnel", "mouthPucker", "mouthRoll", "mouthShrug", "mouthPress", "tongue")
_OF_QUICK = {"cutoff_hz": 4.0, "speed_gain": 6.0}  # weights: a blink moves by 8 a second
_OF_SLOW = {"cutoff_hz": 0.5, "speed_gain": 0.5}
_OF_EYES = {"cutoff_hz": 1.5, "speed_gain": 4.0}  # radians
_OF_POSE = {"cutoff_hz": 0.7, "speed_gain": 1.5}  # radians, world units and logarithms


def performance_of(rows: Rows, fps: float, model: HeadModel) -> Performance:
    """The performance of a clip.

    Args:
        rows: [T, 52 + 4 + 6] as ``UNSEEN_ROW``, which stands for frames without the face; not all of them.
        fps: Frames a second.
        model: Head model.
    """
    seen = ~np.isnan(rows[:, 0])
    whole = rows.copy()
    whole[seen, :UNITS] = calibrated(rows[seen, :UNITS], rows[seen, _ANGLES])
    rest = np.zeros(rows.shape[1])
    rest[_POSE] = np.nan  # the head stays where it was
    whole = bridged(whole, seen, fps, rest, LONGEST_BRIDGE_S)
    expression: NDArray[np.float64] = np.zeros((len(rows), UNITS))
    is_quick = np.array([name.startswith(_QUICK) for name in ARKIT_UNITS])
    expression[:, is_quick] = smoothed(whole[:, :UNITS][:, is_quick], fps, **_OF_QUICK)
    expression[:, ~is_quick] = smoothed(whole[:, :UNITS][:, ~is_quick], fps, **_OF_SLOW)
    gaze = smoothed(_seen_gaze(whole, seen, fps), fps, **_OF_EYES).reshape(-1, 2, 2)
    expression = np.clip(expression + look_units(model, gaze), 0.0, 1.0)
    pose = _steady(whole[:, _POSE], fps)
    return Performance(fps, expression.astype(np.float32), gaze.astype(np.float32), pose.astype(np.float32), seen)


def calibrated(weights: Rows, angles: Rows) -> Rows:
    """Weights [T, 52] from the clip's own rest, at the size that they have in the face: 0 to 1.

    Args:
        weights: [T, 52] as fitted.
        angles: [T, 3] yaw, pitch and roll in radians.
    """
    gains = np.array([_GAINS.get(name.removesuffix("Left").removesuffix("Right"), 1.0) for name in ARKIT_UNITS])
    return np.asarray(np.clip(gains * (weights - _at_rest(weights, angles)), 0.0, 1.0))


def _at_rest(weights: Rows, angles: Rows) -> Rows:
    """[T, 52] weights of the face at rest, its head and lids being where they are in each frame."""
    turned = angles - np.median(angles, axis=0)
    with_lids = np.concatenate([turned, weights[:, _LIDS] - np.median(weights[:, _LIDS], axis=0)], axis=1)
    rest = np.zeros_like(weights)
    for unit, name in enumerate(ARKIT_UNITS):
        is_lowered = name.startswith(_LOWERED)
        told_by = weights[:, unit] > 0.0 if is_lowered else np.ones(len(weights), bool)
        if weights[told_by, unit].any():
            beside = with_lids if name.startswith("brow") else turned
            quantile = _LOWERED_QUANTILE if is_lowered else _REST_QUANTILE
            rest[:, unit] = _plane_at_quantile(weights[told_by, unit], beside[told_by], quantile, beside)
    return np.clip(rest, 0.0, _LARGEST_REST)


def _plane_at_quantile(values: Rows, beside: Rows, quantile: float, over: Rows) -> Rows:
    """Quantile regression (Koenker and Bassett, Econometrica 1978) by iterated weighted least squares.

    Args:
        values: [N] of which a share of ``quantile`` lies below the plane.
        beside: [N, K] what it slopes with.
        quantile: In (0, 1).
        over: [T, K] where it is wanted.

    Returns:
        [T] the plane there.
    """
    design = np.concatenate([np.ones((len(values), 1)), beside], axis=1)
    plane = np.zeros(design.shape[1])
    plane[0] = np.quantile(values, quantile)
    cost = np.diag([0.0] + [_SLOPE_COST * len(values)] * beside.shape[1])
    for _ in range(_REST_ROUNDS):
        above = values - design @ plane
        share = np.where(above > 0.0, quantile, 1.0 - quantile) / np.maximum(np.abs(above), _REST_TOLERANCE)
        weighted = design.T * share
        plane = np.linalg.solve(weighted @ design + cost, weighted @ values)
    return np.asarray(plane[0] + over @ plane[1:])


def _seen_gaze(whole: Rows, seen: NDArray[np.bool_], fps: float) -> Rows:
    """[T, 4] gaze, which goes on in a line while an eye is closed."""
    gaze = whole[:, _GAZE].copy()
    for eye, side in enumerate(SIDES):
        blink = whole[:, ARKIT_UNITS.index(f"eyeBlink{side.capitalize()}")]
        if (is_open := (blink < _CLOSED) & seen).any():
            columns = slice(2 * eye, 2 * eye + 2)
            gaze[:, columns] = bridged(gaze[:, columns], is_open, fps, np.full(2, np.nan), LONGEST_BRIDGE_S)
    return gaze


def _steady(pose: Rows, fps: float) -> Rows:
    """Poses [T, 6] smoothed, places by the size of the head in the frame."""
    size = float(np.exp(np.median(pose[:, LOG_SCALE])))
    unit = np.ones(pose.shape[1])
    unit[[X, Y]] = size
    return smoothed(pose / unit, fps, **_OF_POSE) * unit
