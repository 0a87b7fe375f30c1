"""Curves in Live Link Face's columns."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from geoinv.shape import ARKIT_UNITS
from geoinv.video import Performance, write_live_link
from geoinv.video.live_link import COLUMNS, timecode

# Of a take that the app recorded.
RECORDED = (
    "Timecode,BlendshapeCount,EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,EyeLookUpLeft,EyeSquintLeft,"
    "EyeWideLeft,EyeBlinkRight,EyeLookDownRight,EyeLookInRight,EyeLookOutRight,EyeLookUpRight,EyeSquintRight,"
    "EyeWideRight,JawForward,JawRight,JawLeft,JawOpen,MouthClose,MouthFunnel,MouthPucker,MouthRight,MouthLeft,"
    "MouthSmileLeft,MouthSmileRight,MouthFrownLeft,MouthFrownRight,MouthDimpleLeft,MouthDimpleRight,MouthStretchLeft,"
    "MouthStretchRight,MouthRollLower,MouthRollUpper,MouthShrugLower,MouthShrugUpper,MouthPressLeft,MouthPressRight,"
    "MouthLowerDownLeft,MouthLowerDownRight,MouthUpperUpLeft,MouthUpperUpRight,BrowDownLeft,BrowDownRight,BrowInnerUp,"
    "BrowOuterUpLeft,BrowOuterUpRight,CheekPuff,CheekSquintLeft,CheekSquintRight,NoseSneerLeft,NoseSneerRight,"
    "TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,LeftEyeRoll,RightEyeYaw,RightEyePitch,RightEyeRoll"
)


def test_columns_are_those_of_the_app() -> None:
    assert ",".join(COLUMNS) == RECORDED


def test_each_curve_is_in_its_column(tmp_path: Path) -> None:
    expression = np.arange(2 * 52, dtype=np.float32).reshape(2, 52) / 104.0
    gaze = np.array([[[0.1, 0.2], [0.3, -0.4]]] * 2, np.float32)
    pose = np.array([[0.3, 0.0, 0.0, 0, 0, 5], [0.0, 0.2, 0.0, 0, 0, 5]], np.float32)
    write_live_link(tmp_path / "curves.csv", Performance(25.0, expression, gaze, pose, np.ones(2, bool)))
    with (tmp_path / "curves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["Timecode"] for row in rows] == ["00:00:00:00.000", "00:00:00:01.000"]
    assert {row["BlendshapeCount"] for row in rows} == {"61"}
    for number, row in enumerate(rows):
        for column, name in enumerate(ARKIT_UNITS):
            assert float(row[name[0].upper() + name[1:]]) == pytest.approx(expression[number, column], abs=1e-6)
    # a camera at the head's left sees a head that is turned to its right
    assert float(rows[0]["HeadYaw"]) == pytest.approx(-0.3, abs=1e-6) and abs(float(rows[0]["HeadPitch"])) < 1e-6
    assert float(rows[1]["HeadPitch"]) == pytest.approx(
        0.2, abs=1e-6
    )  # a camera from above sees a head that looks down
    assert float(rows[0]["LeftEyeYaw"]) == pytest.approx(0.1) and float(rows[0]["LeftEyePitch"]) == pytest.approx(-0.2)
    assert float(rows[0]["RightEyeYaw"]) == pytest.approx(0.3) and float(rows[0]["RightEyePitch"]) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("frame", "fps", "expected"),
    [
        (0, 25.0, "00:00:00:00.000"),
        (25, 25.0, "00:00:01:00.000"),
        (91, 30.0, "00:00:03:01.000"),
        (90000, 25.0, "01:00:00:00.000"),
    ],
)
def test_timecodes(frame: int, fps: float, expected: str) -> None:
    assert timecode(frame, fps) == expected


def test_timecodes_of_29_97_go_on() -> None:
    codes = [timecode(frame, 30000 / 1001) for frame in range(200)]
    assert codes == sorted(codes) and len(set(codes)) == 200
