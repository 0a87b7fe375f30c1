"""From rows of frames to a performance."""

from __future__ import annotations

import numpy as np
import pytest

from geoinv.shape import ARKIT_UNITS, load_head_model
from geoinv.video.settle import UNITS, UNSEEN_ROW, calibrated, performance_of

FPS = 25.0
JAW, BLINK = ARKIT_UNITS.index("jawOpen"), ARKIT_UNITS.index("eyeBlinkLeft")


def _rows(frames: int = 100) -> np.ndarray:
    rows = np.zeros((frames, UNITS + 10))
    rows[:, UNITS + 4 :] = [0.1, 0.05, 0.0, 320.0, 240.0, 6.0]
    return rows


def test_a_frame_without_the_face_is_bridged_and_said() -> None:
    rows = _rows()
    rows[:, JAW] = 0.3 * (np.arange(100) > 40)
    rows[60:66] = UNSEEN_ROW
    made = performance_of(rows, FPS, load_head_model())
    assert np.isfinite(made.expression).all() and np.isfinite(made.pose).all()
    assert (~made.seen).sum() == 6 and not made.seen[60:66].any()
    assert made.expression[63, JAW] == pytest.approx(made.expression[58, JAW], abs=0.02)


def test_after_a_long_absence_the_face_is_at_rest_where_it_was() -> None:
    rows = _rows(200)
    rows[:, JAW] = np.where(np.arange(200) < 30, 0.0, 0.3)
    rows[100:] = UNSEEN_ROW
    made = performance_of(rows, FPS, load_head_model())
    assert made.expression[-1, JAW] == pytest.approx(0.0, abs=0.01)
    np.testing.assert_allclose(made.pose[-1], made.pose[90], atol=0.5)


def test_weights_are_from_the_clips_own_rest() -> None:
    weights = np.full((50, UNITS), 0.1)
    weights[20:24, BLINK] = 0.8
    out = calibrated(weights, np.zeros((50, 3)))
    assert out.min() == 0.0 and out[0].max() == 0.0 and out.max() <= 1.0
    assert out[21, BLINK] > 0.8
    smiling = np.full((50, UNITS), 0.8)  # all the time
    assert calibrated(smiling, np.zeros((50, 3)))[:, ARKIT_UNITS.index("mouthSmileLeft")].min() > 0.5


def test_raised_brows_do_not_hide_where_lowered_ones_rest() -> None:
    down = ARKIT_UNITS.index("browDownLeft")
    weights = np.zeros((100, UNITS))
    weights[:60, down] = 0.15  # at rest, as the fit has it
    weights[20:40, down] = 0.6
    out = calibrated(weights, np.zeros((100, 3)))[:, down]  # in the last 40 frames raised brows hold it at 0
    assert out[0] == 0.0 and out[70] == 0.0 and out[30] > 0.5


def test_a_head_that_turns_is_at_rest_all_the_while() -> None:
    down, up = ARKIT_UNITS.index("browDownRight"), ARKIT_UNITS.index("browOuterUpLeft")
    yaw = 0.3 * np.sin(np.linspace(0.0, 12.0, 200))
    weights = np.zeros((200, UNITS))
    weights[:, down] = 0.1 + 0.25 * yaw  # hair hangs over a brow and is read as the brow
    weights[60:90, down] += 0.4
    weights[:, BLINK] = (np.arange(200) % 40 < 8) * 0.8
    weights[:, up] = 0.02 + 0.12 * weights[:, BLINK]  # a brow is read higher over closed lids
    out = calibrated(weights, np.stack([yaw, 0.0 * yaw, 0.0 * yaw], axis=1))
    resting = np.r_[0:60, 90:200]
    assert out[resting, down].max() < 0.04 and out[60:90, down].min() > 0.4
    assert out[:, up].max() < 0.1  # without lids it is 0.21


def test_a_look_aside_turns_both_eyes_and_goes_on_through_a_blink() -> None:
    rows = _rows()
    rows[:, UNITS : UNITS + 4] = [0.3, 0.1, 0.3, 0.1]  # both eyes to the person's left and up
    rows[50:54, BLINK] = 1.0
    rows[50:54, UNITS : UNITS + 2] = [-0.6, -0.6]  # what is read off a closed eye
    made = performance_of(rows, FPS, load_head_model())
    np.testing.assert_allclose(made.gaze[:, 0, 0], 0.3, atol=0.01)
    named = dict(zip(ARKIT_UNITS, made.expression[0], strict=True))
    assert named["eyeLookOutLeft"] > 0.3 and named["eyeLookInRight"] > 0.3
    assert named["eyeLookUpLeft"] > 0.1 and named["eyeLookInLeft"] == named["eyeLookDownRight"] == 0.0


def test_a_trembling_head_is_held_still() -> None:
    rows = _rows()
    rows[:, UNITS + 4 :] += np.random.default_rng(0).normal(0.0, [0.01, 0.01, 0.005, 2.0, 2.0, 0.01], (100, 6))
    made = performance_of(rows, FPS, load_head_model())
    before = np.abs(np.diff(rows[:, UNITS + 4 :], 2, axis=0)).mean(axis=0)
    after = np.abs(np.diff(made.pose, 2, axis=0)).mean(axis=0)
    assert (after < 0.35 * before).all()
