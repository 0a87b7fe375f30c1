"""A small GLB of the mean head with all 52 units as morph targets, made without the avatar's code."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoinv.shape import ARKIT_UNITS, load_head_model

METRES = 0.37  # a unit of the head model's world

Array = NDArray[Any]


@cache
def toy_head(*, with_seen: bool = True, with_morphs: bool = True) -> bytes:
    """GLB of the mean head in one colour; the photo has seen its front if ``with_seen``."""
    model = load_head_model()
    vertices = model.mean.numpy() * METRES
    normals = model.normals(model.mean[None])[0].numpy()
    attributes: dict[str, Array] = {"POSITION": vertices, "NORMAL": normals}
    if with_seen:
        attributes["_SEEN"] = np.clip(normals[:, 2] * 2.0, 0.0, 1.0)
    targets = [{"POSITION": moved.numpy() * METRES} for moved in model.expression_basis] if with_morphs else []
    return glb(attributes, model.triangles.numpy(), targets, ARKIT_UNITS if with_morphs else ())


def triangle(names: Sequence[str] = (), **document: Any) -> bytes:
    """GLB of one triangle; each of its morph targets lifts it by a metre."""
    corners = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    targets = [{"POSITION": np.tile([0.0, 1.0, 0.0], (3, 1))} for _ in names]
    return glb({"POSITION": corners}, np.array([[0, 1, 2]]), targets, names, **document)


def glb(
    attributes: Mapping[str, Array],
    triangles: Array,
    targets: Sequence[Mapping[str, Array]],
    names: Sequence[str],
    **document: Any,
) -> bytes:
    """Encode one mesh; ``document`` adds to or replaces entries at the top of the glTF document."""
    views: list[dict[str, Any]] = []
    accessors: list[dict[str, Any]] = []
    data = b""

    def add(values: Array, *, is_index: bool = False) -> int:
        nonlocal data
        array = np.ascontiguousarray(values, dtype="<u4" if is_index else "<f4")
        views.append({"buffer": 0, "byteOffset": len(data), "byteLength": array.nbytes})
        kind = "SCALAR" if array.ndim == 1 else f"VEC{array.shape[1]}"
        accessor = {"bufferView": len(views) - 1, "componentType": 5125 if is_index else 5126, "count": len(array)}
        bounds = {"min": array.min(axis=0).tolist(), "max": array.max(axis=0).tolist()} if kind == "VEC3" else {}
        accessors.append({**accessor, "type": kind, **bounds})
        data += array.tobytes()
        return len(accessors) - 1

    primitive: dict[str, Any] = {
        "attributes": {name: add(values) for name, values in attributes.items()},
        "indices": add(triangles.reshape(-1), is_index=True),
        "material": 0,
    }
    if targets:
        primitive["targets"] = [{name: add(values) for name, values in target.items()} for target in targets]
    skin = {"baseColorFactor": [0.72, 0.5, 0.41, 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.6}
    whole = {
        "asset": {"version": "2.0", "generator": "a test"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive], "extras": {"targetNames": list(names)}}],
        "materials": [{"pbrMetallicRoughness": skin}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(data)}],
        **document,
    }
    return packed(json.dumps(whole).encode(), data)


def packed(text: bytes, data: bytes = b"", *, version: int = 2) -> bytes:
    """The chunks of a GLB behind its header."""
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    if data:
        chunks += struct.pack("<I4s", len(data), b"BIN\0") + data
    return struct.pack("<4sII", b"glTF", version, 12 + len(chunks)) + chunks
