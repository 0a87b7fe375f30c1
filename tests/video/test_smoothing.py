"""Smooth curves: trembling goes, blinks stay and come at their time; gaps are bridged."""

from __future__ import annotations

import numpy as np
import pytest

from geoinv.video.smoothing import bridged, smoothed

FPS = 25.0


def _blink(at: int, frames: int = 100) -> np.ndarray:
    return np.exp(-0.5 * ((np.arange(frames) - at) / 1.5) ** 2)


def test_a_blink_is_not_late_nor_lost() -> None:
    blink = _blink(50)
    out = smoothed(blink[:, None], FPS, cutoff_hz=3.0, speed_gain=4.0)[:, 0]
    assert abs(int(out.argmax()) - 50) <= 1 and out.max() > 0.8
    shifts = [np.corrcoef(np.roll(out, shift), blink)[0, 1] for shift in (-1, 0, 1)]
    assert int(np.argmax(shifts)) == 1


def test_what_rests_is_still() -> None:
    noise = np.random.default_rng(0).normal(0.0, 0.02, (200, 3))
    out = smoothed(noise, FPS, cutoff_hz=1.0, speed_gain=0.5)
    assert out.std() < 0.5 * noise.std()
    assert np.abs(np.diff(out, 2, axis=0)).mean() < 0.2 * np.abs(np.diff(noise, 2, axis=0)).mean()


def test_the_same_backward() -> None:
    curves = np.random.default_rng(1).normal(size=(40, 2)).cumsum(axis=0)
    filtered = {"fps": FPS, "cutoff_hz": 2.0, "speed_gain": 0.5}
    np.testing.assert_allclose(smoothed(curves[::-1], **filtered)[::-1], smoothed(curves, **filtered))


def test_short_gaps_are_crossed_in_a_line() -> None:
    curves = np.arange(20.0)[:, None]
    seen = np.ones(20, bool)
    seen[8:12] = False
    holed = np.where(seen[:, None], curves, np.nan)
    np.testing.assert_allclose(bridged(holed, seen, FPS, np.zeros(1), 0.6), curves)


def test_long_gaps_end_at_rest_or_stay() -> None:
    curves = np.full((200, 2), 0.8)
    seen = np.ones(200, bool)
    seen[50:150] = False
    curves[~seen] = np.nan
    out = bridged(curves, seen, FPS, np.array([0.0, np.nan]), 0.6)
    assert out[100, 0] == pytest.approx(0.0) and out[100, 1] == pytest.approx(0.8)
    assert np.abs(np.diff(out[:, 0])).max() < 0.15  # no jump


def test_both_ends_are_filled() -> None:
    curves, seen = np.full((60, 1), np.nan), np.zeros(60, bool)
    curves[30:34], seen[30:34] = 0.5, True
    out = bridged(curves, seen, FPS, np.zeros(1), 0.6)
    assert np.isfinite(out).all() and out[0, 0] == pytest.approx(0.0) and out[31, 0] == 0.5
