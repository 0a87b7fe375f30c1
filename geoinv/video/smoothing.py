"""Curves without the detector's trembling: One-Euro filters that run forward and backward, so that nothing comes late.

A One-Euro filter (Casiez, Roussel and Vogel, CHI 2012) is a low-pass whose cutoff rises with speed: it holds still what
rests and lets pass what moves fast, such as a blink. A clip is there as a whole, so the filter runs over it both ways
and the mean is taken: the lag of one way is the lead of the other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def smoothed(curves: Array, fps: float, *, cutoff_hz: float, speed_gain: float, speed_cutoff_hz: float = 3.0) -> Array:
    """Smooth curves, each by itself, without lag.

    Args:
        curves: [T, C].
        fps: Frames a second.
        cutoff_hz: Cutoff of a curve that rests.
        speed_gain: Rise of the cutoff in Hz for a speed of 1 a second.
        speed_cutoff_hz: Cutoff of the speed itself.
    """

    def one_way(values: Array) -> Array:
        out = values.copy()
        speed = np.zeros(values.shape[1])
        of_speed = _share(np.full(values.shape[1], speed_cutoff_hz), fps)
        for row in range(1, len(values)):
            speed += of_speed * ((values[row] - values[row - 1]) * fps - speed)
            share = _share(cutoff_hz + speed_gain * np.abs(speed), fps)
            out[row] = out[row - 1] + share * (values[row] - out[row - 1])
        return out

    return 0.5 * (one_way(curves) + one_way(curves[::-1])[::-1])


def _share(cutoff_hz: Array, fps: float) -> Array:
    """Share of the new value in the filtered one."""
    turn = 2.0 * np.pi * cutoff_hz / fps
    return turn / (1.0 + turn)


def bridged(curves: Array, seen: NDArray[np.bool_], fps: float, rest: Array, longest: float) -> Array:
    """Curves with their gaps filled.

    Gaps are crossed in a straight line. In those that are longer, and at both ends, the curves go to ``rest``.

    Args:
        curves: [T, C]; rows that were not seen are not looked at.
        seen: [T], at least one.
        fps: Frames a second.
        rest: [C] what is taken where nothing is known for long; NaN stays where it was seen last.
        longest: Seconds for which a line is drawn.
    """
    rows, times = np.flatnonzero(seen), np.arange(len(curves))
    out = np.stack([np.interp(times, rows, curve[rows]) for curve in curves.T], axis=1)
    last, following = np.searchsorted(rows, times, "right") - 1, np.searchsorted(rows, times)
    none = float(len(curves))  # longer than any gap: at both ends there is nothing on the other side
    before = np.where(last >= 0, times - rows[np.maximum(last, 0)], none) / fps
    after = np.where(following < len(rows), rows[np.minimum(following, len(rows) - 1)] - times, none) / fps
    is_long = (before + after > longest) & ~seen
    away = np.clip(np.minimum(before, after) / (0.5 * longest), 0.0, 1.0) * is_long
    goal = np.where(np.isnan(rest), out, rest)
    return np.asarray(out + away[:, None] * (goal - out))
