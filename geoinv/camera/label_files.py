"""EG3D's camera labels in files: 25 numbers as .npy, as JSON (``dataset.json``, ``label.json``) or as TSV.

The 25 numbers are cam2world row by row and the intrinsics row by row (see ``geoinv.camera``). In JSON, as StyleGAN's
and EG3D's data sets have them, ``labels`` holds pairs of picture and numbers; a mapping of pictures to numbers, and
numbers alone, are read as well. In TSV each line has the picture and its numbers, or numbers alone. Here a label is
written beside the crop that it belongs to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..conventions import FACE_ORBIT, Orbit
from ..errors import UsageError
from ..files import atomic_path, one_process_at_a_time
from ..npy_files import load_npy
from . import CameraPose, from_label, intrinsics, pose_vectors, to_label

LABEL_SUFFIXES = (".npy", ".json", ".tsv")
_HINT = "give EG3D's 25 numbers as .npy, dataset.json, label.json or .tsv"
_FOCAL_TOLERANCE = 0.01  # EG3D's own scripts differ by 0.0003

Label = NDArray[np.float64]
"""[25]"""


def pose_from_label(label: Label, name: str, orbit: Orbit = FACE_ORBIT) -> CameraPose:
    """The camera of a label, batch size 1.

    Args:
        label: [25].
        name: Name of the file, for messages.
        orbit: Orbit of the generator's cameras.

    Raises:
        UsageError: Not 25 finite numbers, no rotation, other intrinsics than geoinv renders with, or a camera that
            looks straight up or down.
    """
    if label.shape != (25,) or not np.isfinite(label).all():
        raise UsageError(f"{name}: a label has 25 finite numbers, this has {label.size}", _HINT)
    matrix, camera_matrix = from_label(torch.from_numpy(label)[None])
    rotation = matrix[0, :3, :3]
    is_rigid = torch.allclose(rotation @ rotation.T, torch.eye(3).double(), atol=1e-3) and torch.det(rotation) > 0.0
    if not is_rigid or not torch.allclose(matrix[0, 3], torch.tensor([0.0, 0.0, 0.0, 1.0]).double(), atol=1e-4):
        raise UsageError(f"{name}: its first 16 numbers are no camera-to-world matrix", "it is 4 x 4, row by row")
    focal = orbit.focal
    if not torch.allclose(camera_matrix[0], intrinsics(focal).double(), atol=_FOCAL_TOLERANCE * focal):
        found = ", ".join(f"{value:g}" for value in label[16:])
        raise UsageError(
            f"{name}: its intrinsics are {found}", f"the model's crop has focal length {focal:g} and centre 0.5, 0.5"
        )
    if abs(float(rotation[1, 2])) > 0.999:
        raise UsageError(f"{name}: its camera looks straight up or down", "labels of faces look from the front")
    return CameraPose.from_vector(pose_vectors(matrix, orbit))


def label_of(pose: CameraPose, orbit: Orbit = FACE_ORBIT) -> Label:
    """[25] of a camera, batch size 1, on the orbit of a generator's cameras."""
    vector: Tensor = pose.as_vector().detach().cpu().double()
    cam2world = CameraPose.from_vector(vector).cam2world(orbit)
    return np.asarray(to_label(cam2world, intrinsics(orbit.focal).double())[0].numpy())


def read_label(path: Path, picture: str) -> Label:
    """The label of a picture.

    Args:
        path: A .npy, .json or .tsv file.
        picture: Name of the picture in files that hold several; folders before it and its suffix may differ.

    Raises:
        UsageError: No such file, none of these formats, or no label of the picture.
    """
    labels = labels_in(path)
    if len(labels) == 1 and "" in labels:
        return labels[""]
    return _named(labels, picture, path)


def labels_in(path: Path) -> dict[str, Label]:
    """All labels of a file by picture; one without a picture's name has none.

    Raises:
        UsageError: No such file, or none of these formats.
    """
    if not path.is_file():
        raise UsageError(f"no such file: {path}", _HINT)
    readers = {".npy": _read_npy, ".json": _read_json, ".tsv": _read_tsv}
    if path.suffix.lower() not in readers:
        raise UsageError(f"{path}: unknown type of label file {path.suffix!r}", _HINT)
    return readers[path.suffix.lower()](path)


def write_label(path: Path, picture: str, label: Label) -> None:
    """Write a label; in .json and .tsv it takes its place among the labels of other pictures.

    Raises:
        UsageError: Another suffix, a file that cannot be written, or an existing one that cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix not in LABEL_SUFFIXES:
        raise UsageError(f"{path}: unknown type of label file {path.suffix!r}", f"use {', '.join(LABEL_SUFFIXES)}")
    if suffix == ".npy":
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, label.astype(np.float32))
        return
    with one_process_at_a_time(path):  # shards of a run write one file
        labels = {**(labels_in(path) if path.is_file() else {}), picture: label}
        text = _as_json(labels) if suffix == ".json" else _as_tsv(labels)
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _read_npy(path: Path) -> dict[str, Label]:
    try:
        values = load_npy(path)
    except (ValueError, OSError) as error:
        raise _unreadable(path, ".npy", error) from error
    return {"": _numbers(np.asarray(values).reshape(-1).tolist(), path)}


def _read_json(path: Path) -> dict[str, Label]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise UsageError(f"{path} holds no labels: its lists lie too deep in each other", _HINT) from error
    except (ValueError, OSError) as error:
        raise _unreadable(path, "JSON", error) from error
    if isinstance(values, Mapping) and "labels" in values:
        values = values["labels"]
    if isinstance(values, list) and values and all(isinstance(value, int | float) for value in values):
        return {"": _numbers(values, path)}
    pairs = list(values.items()) if isinstance(values, Mapping) else values
    if not isinstance(pairs, list) or not all(_is_pair(pair) for pair in pairs):
        raise UsageError(f"{path} holds no labels", 'it should read {"labels": [["face.png", [25 numbers]], ...]}')
    return {str(name): _numbers(numbers, path, str(name)) for name, numbers in pairs}


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str)


def _read_tsv(path: Path) -> dict[str, Label]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (ValueError, OSError) as error:
        raise _unreadable(path, "text", error) from error
    labels: dict[str, Label] = {}
    for number, line in enumerate(lines, start=1):
        fields = line.strip().split("\t")
        if fields == [""] or line.startswith("#"):
            continue
        name = fields.pop(0) if len(fields) == 26 else ""
        labels[name] = _numbers(fields, path, name or f"line {number}")
    if not labels:
        raise UsageError(f"{path} holds no labels", "each line has a picture and 25 numbers, with tabs between")
    return labels


def _unreadable(path: Path, kind: str, error: Exception) -> UsageError:
    """The error of a file that is not of its kind, or that may not be read."""
    if isinstance(error, OSError) and error.strerror:
        return UsageError(f"cannot read {path}: {error.strerror.lower()}", "check the path and its permissions")
    return UsageError(f"{path} is no {kind} file of labels", _HINT)


def _numbers(values: Any, path: Path, what: str = "") -> Label:
    where = f"{path}, {what}" if what else str(path)
    try:
        label = np.array([float(value) for value in values], dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"{where}: a label has 25 numbers", _HINT) from error
    if label.shape != (25,) or not np.isfinite(label).all():
        raise UsageError(f"{where}: a label has 25 finite numbers, this has {label.size}", _HINT)
    return label


def _named(labels: dict[str, Label], picture: str, path: Path) -> Label:
    """By full name, else by file name, else by file name without suffix; data sets put folders in front."""
    if picture in labels:
        return labels[picture]
    wanted = PurePosixPath(picture)
    for part in ("name", "stem"):
        found = [name for name in labels if getattr(PurePosixPath(name), part) == getattr(wanted, part)]
        if len(found) == 1:
            return labels[found[0]]
        if found:
            raise UsageError(f"{path} has {len(found)} labels of {picture}: {found[0]}, {found[1]}", "keep one of them")
    raise UsageError(f"{path} has no label of {picture}", f"it has {len(labels)}, the first of {next(iter(labels))!r}")


def _as_json(labels: Mapping[str, Label]) -> str:
    pairs = [[name, [float(np.float32(value)) for value in label]] for name, label in labels.items()]
    return json.dumps({"labels": pairs}) + "\n"


def _as_tsv(labels: Mapping[str, Label]) -> str:
    rows = ["\t".join([name, *(f"{value:.9g}" for value in label)]) for name, label in labels.items()]
    return "\n".join(rows) + "\n"
