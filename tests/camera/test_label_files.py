"""EG3D's camera labels: read, written, and refused with one line."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from geoinv.camera import CameraPose
from geoinv.camera.label_files import label_of, labels_in, pose_from_label, read_label, write_label
from geoinv.errors import UsageError

FRONTAL = [1, 0, 0, 0, 0, -1, 0, 0, 0, 0, -1, 2.9, 0, 0, 0, 1, 4.2647, 0, 0.5, 0, 4.2647, 0.5, 0, 0, 1]
"""The frontal camera at 2.7 from the pivot (0, 0, 0.2), written out."""


def side_label() -> np.ndarray:
    return label_of(CameraPose.from_angles(0.3, -0.1, 0.05))


def test_hand_computed() -> None:
    assert label_of(CameraPose.from_angles(0.0)) == pytest.approx(np.array(FRONTAL, float), abs=1e-6)
    assert pose_from_label(np.array(FRONTAL, float), "x").as_vector()[0].tolist() == pytest.approx([0.0] * 6, abs=1e-6)


def test_pose_round_trip() -> None:
    pose = pose_from_label(side_label(), "x")
    assert pose.as_vector()[0].tolist() == pytest.approx([0.3, -0.1, 0.05, 0.0, 0.0, 0.0], abs=1e-6)


@pytest.mark.parametrize("suffix", [".npy", ".json", ".tsv"])
def test_file_round_trip(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"label{suffix}"
    write_label(path, "face.png", side_label())
    assert read_label(path, "face.png") == pytest.approx(side_label(), abs=1e-6)


@pytest.mark.parametrize("suffix", [".json", ".tsv"])
def test_many_in_one_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"dataset{suffix}"
    write_label(path, "a.png", np.array(FRONTAL, float))
    write_label(path, "b.png", side_label())
    write_label(path, "a.png", side_label())  # a second time: replaced, not doubled
    write_label(path, "c.png", np.array(FRONTAL, float))
    assert read_label(path, "a.png") == pytest.approx(side_label(), abs=1e-6)
    assert read_label(path, "c.png") == pytest.approx(np.array(FRONTAL), abs=1e-6)


@pytest.mark.parametrize(
    "values",
    [
        FRONTAL,
        {"labels": [["00000/face.png", FRONTAL], ["00000/other.png", [0.0] * 25]]},
        {"labels": {"face.jpg": FRONTAL}},
        {"face.png": FRONTAL},
    ],
)
def test_json_of_others(tmp_path: Path, values: object) -> None:
    path = tmp_path / "dataset.json"
    path.write_text(json.dumps(values))
    assert read_label(path, "face.png").tolist() == FRONTAL


def test_bare_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("# camera\n" + "\t".join(map(str, FRONTAL)) + "\n")
    np.save(tmp_path / "a.npy", np.array([FRONTAL], np.float32))
    for name in ("a.tsv", "a.npy"):
        assert read_label(tmp_path / name, "any.png") == pytest.approx(np.array(FRONTAL), abs=1e-6)


def bad(**changes: object) -> np.ndarray:
    label = np.array(FRONTAL, float)
    for index, value in changes.items():
        label[int(index[1:])] = value
    return label


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (np.zeros(24), "25 finite numbers, this has 24"),
        (bad(i3=math.nan), "25 finite numbers"),
        (bad(i0=2.0), "no camera-to-world matrix"),
        (bad(i0=-1.0), "no camera-to-world matrix"),  # a mirror
        (bad(i12=1.0), "no camera-to-world matrix"),
        (bad(i16=1015.0), "intrinsics"),
        (label_of(CameraPose.from_angles(0.0, math.pi / 2)), "straight up or down"),
    ],
)
def test_rejects_labels(label: np.ndarray, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        pose_from_label(label, "face.npy")
    assert caught.value.message.startswith("face.npy")


@pytest.mark.parametrize(
    ("name", "contents", "message"),
    [
        ("a.json", "{", "no JSON"),
        ("a.json", '{"labels": 3}', "holds no labels"),
        ("a.json", '{"labels": null}', "holds no labels"),
        ("a.json", '{"labels": [["face.png", [1, 2]]]}', "face.png: a label has 25 finite numbers, this has 2"),
        ("a.json", '{"labels": [["face.png", ["x"]]]}', "25 numbers"),
        ("a.json", '{"labels": [["face.png", null]]}', "25 numbers"),
        ("a.tsv", "", "holds no labels"),
        ("a.tsv", "face.png\t1\t2\n", "line 1"),
        ("a.npy", "not numpy", "no .npy file"),
        ("a.txt", "1 2 3", "unknown type of label file '.txt'"),
    ],
)
def test_rejects_files(tmp_path: Path, name: str, contents: str, message: str) -> None:
    (tmp_path / name).write_text(contents)
    with pytest.raises(UsageError, match=message) as caught:
        read_label(tmp_path / name, "face.png")
    assert name in caught.value.message and "\n" not in caught.value.message


def test_rejects_pickles(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"os": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(UsageError, match="no .npy file of labels"):
        read_label(tmp_path / "a.npy", "face.png")


def test_rejects_missing_and_ambiguous(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_label(tmp_path / "none.npy", "face.png")
    path = tmp_path / "dataset.json"
    path.write_text(json.dumps({"labels": [["a/face.png", FRONTAL], ["b/face.png", FRONTAL]]}))
    with pytest.raises(UsageError, match="no label of me.png"):
        read_label(path, "me.png")
    with pytest.raises(UsageError, match="2 labels of face.png"):
        read_label(path, "face.png")
    with pytest.raises(UsageError, match="unknown type"):
        write_label(tmp_path / "a.txt", "face.png", side_label())


def test_many_that_write_at_once_lose_no_label(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    label = np.arange(25, dtype=np.float32)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda index: write_label(tmp_path / "labels.json", f"{index}.png", label), range(12)))
    assert set(labels_in(tmp_path / "labels.json")) == {f"{index}.png" for index in range(12)}
