"""The file of a head model: one safetensors file that needs no asset to be loaded.

The two bases are float16 (which rounds a vertex by hundredths of a millimetre), indices int32, everything else float32.
The header holds the parts and what was measured when the model was made.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..errors import CheckpointError, ShapeError
from ..files import atomic_path
from ..folders import weights_dir
from .arkit import ARKIT_UNITS
from .attached_mesh import AttachedMesh
from .detector_habits import DetectorHabits
from .model import PART_NAMES, HeadModel, Part

FORMAT = "geoinv-head-model-1"
FILE_NAME = "head-model.safetensors"
_HALF = ("identity_basis", "expression_basis")
_INDICES = ("corner_vertices", "corner_triangles", "base_vertices")
_POINTS = ("landmarks68", "landmarks468")
_HABITS = ("yaw_rad", "offset", "deviation")


def save_head_model(path: Path, model: HeadModel, extra: Mapping[str, Any]) -> None:
    """Write a model whole or not at all; the same model gives the same bytes.

    Args:
        path: File to write; an existing one is replaced.
        model: Model to write.
        extra: JSON values for the header, such as errors that were measured.
    """
    tensors = {"mean": model.mean, "uvs": model.uvs}
    tensors |= {name: getattr(model, name).to(torch.float16) for name in _HALF}
    tensors |= {name: getattr(model, name).to(torch.int32) for name in _INDICES}
    for name in _POINTS:
        points = getattr(model, name)
        tensors |= {f"{name}.triangles": points.triangles.to(torch.int32), f"{name}.weights": points.weights}
    for name in _HABITS:
        tensors[f"detector.{name}"] = getattr(model.detector_habits, name)
    for field in fields(AttachedMesh):
        value = getattr(model.teeth, field.name)
        tensors[f"teeth.{field.name}"] = value if value.is_floating_point() else value.to(torch.int32)
    parts = [
        {"name": part.name} | {kind: [rows.start, rows.stop] for kind, rows in _rows(part).items()}
        for part in model.parts.values()
    ]
    header = {"format": FORMAT, "units": list(ARKIT_UNITS), "parts": parts, "extra": dict(extra)}
    # one key, because safetensors writes several in no fixed order and the same model should be the same bytes
    metadata = {"geoinv": json.dumps(header, sort_keys=True)}
    with atomic_path(path, durable=True) as temporary:
        temporary.write_bytes(save({name: value.contiguous() for name, value in tensors.items()}, metadata=metadata))


def load_head_model(path: str | os.PathLike[str] | None = None) -> HeadModel:
    """The shipped head model, or that of a file, on the CPU in float32; loaded once and shared.

    Args:
        path: File; None takes ``head-model.safetensors`` of geoinv's weights.

    Raises:
        CheckpointError: There is no such file, or it is damaged or another tool's.
    """
    file = weights_dir() / FILE_NAME if path is None else Path(path)
    try:
        changed = file.stat().st_mtime_ns
    except OSError as error:
        hint = "reinstall geoinv, or make it: geoinv synth shape-model"
        raise CheckpointError(f"no head model at {file}", hint) from error
    return _load(file, changed)


@lru_cache(maxsize=2)
def _load(path: Path, changed_ns: int) -> HeadModel:
    del changed_ns  # a key: a file that was written anew is read anew
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("geoinv", "{}"))
            if not isinstance(header, dict) or header.get("format") != FORMAT:
                raise CheckpointError(f"{path} holds no head model", "it may be another tool's file")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return _build(header, tensors)
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, IndexError, ShapeError) as error:
        raise CheckpointError(f"{path} is damaged: {error}", "fetch or make it again") from error


def _build(header: dict[str, Any], tensors: dict[str, Tensor]) -> HeadModel:
    if header["units"] != list(ARKIT_UNITS) or [part["name"] for part in header["parts"]] != list(PART_NAMES):
        raise ValueError("other expression units or parts")
    count, corners = len(tensors["mean"]), len(tensors["corner_vertices"])
    faces = len(tensors["corner_triangles"])
    limits = {"corner_vertices": count, "corner_triangles": corners}
    limits |= {f"{name}.triangles": faces for name in _POINTS}
    limits |= {"teeth.anchors": count, "teeth.triangles": len(tensors["teeth.anchors"])}
    for name, limit in limits.items():
        if len(tensors[name]) == 0 or int(tensors[name].min()) < 0 or int(tensors[name].max()) >= limit:
            raise ValueError(f"{name} points to nothing")
    for name, tensor in tensors.items():
        tensors[name] = tensor.long() if tensor.dtype == torch.int32 else tensor.float()
        if not tensors[name].isfinite().all():
            raise ValueError(f"{name} is not finite")
    of_68, of_468 = ((tensors[f"{name}.triangles"], tensors[f"{name}.weights"]) for name in _POINTS)
    model = HeadModel(
        mean=tensors["mean"],
        identity_basis=tensors["identity_basis"],
        expression_basis=tensors["expression_basis"],
        corner_vertices=tensors["corner_vertices"],
        corner_triangles=tensors["corner_triangles"],
        uvs=tensors["uvs"],
        base_vertices=tensors["base_vertices"],
        landmarks68=of_68,
        landmarks468=of_468,
        parts=tuple(
            Part(part["name"], *(slice(*part[kind]) for kind in ("vertices", "corners", "triangles")))
            for part in header["parts"]
        ),
        detector_habits=DetectorHabits(*(tensors[f"detector.{name}"] for name in _HABITS)),
        teeth=AttachedMesh(**{field.name: tensors[f"teeth.{field.name}"] for field in fields(AttachedMesh)}),
    )
    return model.eval()


def _rows(part: Part) -> dict[str, slice]:
    return {"vertices": part.vertices, "corners": part.corners, "triangles": part.triangles}
