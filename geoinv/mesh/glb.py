"""A coloured mesh as binary glTF 2.0 (https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html), written by hand.

glTF counts in metres and holds linear colours. A material without metal is written as well: the default is all metal,
which shows skin as dark chrome.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROUGHNESS = 0.8  # skin without its gloss; the colours carry the light of the photo already
_FLOAT, _UINT16, _UINT32 = 5126, 5123, 5125
_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963
_ALIGNMENT = 4  # bytes, of chunks and of what accessors read


def glb_bytes(
    positions: NDArray[np.floating[Any]],  # [V, 3] in metres, y up, face to +z
    faces: NDArray[np.integer[Any]],  # [F, 3] counter-clockwise from outside
    normals: NDArray[np.floating[Any]],  # [V, 3] outward, of any length
    colors: NDArray[np.uint8],  # [V, 3] sRGB
) -> bytes:
    """Encode one triangle mesh with a colour for each vertex; the same bytes for the same mesh."""
    corners = np.ascontiguousarray(positions, dtype="<f4")
    arrays: list[tuple[NDArray[Any], int, int, str]] = [  # values, component type, target, element type
        (corners, _FLOAT, _ARRAY_BUFFER, "VEC3"),
        (_unit(normals), _FLOAT, _ARRAY_BUFFER, "VEC3"),
        (_linear(colors), _UINT16, _ARRAY_BUFFER, "VEC4"),
        (np.ascontiguousarray(faces, dtype="<u4").reshape(-1), _UINT32, _ELEMENT_ARRAY_BUFFER, "SCALAR"),
    ]
    views, accessors, data = [], [], b""
    for index, (values, component, target, kind) in enumerate(arrays):
        views.append({"buffer": 0, "byteOffset": len(data), "byteLength": values.nbytes, "target": target})
        accessors.append({"bufferView": index, "componentType": component, "count": len(values), "type": kind})
        data += _padded(values.tobytes(), b"\0")
    accessors[0] |= {"min": corners.min(axis=0).tolist(), "max": corners.max(axis=0).tolist()}
    accessors[2] |= {"normalized": True}
    attributes = {"POSITION": 0, "NORMAL": 1, "COLOR_0": 2}
    surface = {"baseColorFactor": [1.0, 1.0, 1.0, 1.0], "metallicFactor": 0.0, "roughnessFactor": _ROUGHNESS}
    document = {
        "asset": {"version": "2.0", "generator": "geoinv"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "head", "mesh": 0}],
        "meshes": [{"name": "head", "primitives": [{"attributes": attributes, "indices": 3, "material": 0}]}],
        "materials": [{"name": "skin", "pbrMetallicRoughness": surface}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(data)}],
    }
    text = _padded(json.dumps(document, separators=(",", ":")).encode(), b" ")
    length = 12 + 8 + len(text) + 8 + len(data)
    header = struct.pack("<4sII", b"glTF", 2, length)
    return b"".join(
        [header, struct.pack("<I4s", len(text), b"JSON"), text, struct.pack("<I4s", len(data), b"BIN\0"), data]
    )


def _unit(normals: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Unit vectors [V, 3]; a vertex whose faces cancel out points up."""
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    up = np.array([0.0, 1.0, 0.0])
    return np.where(lengths > 1e-6, normals / np.maximum(lengths, 1e-6), up).astype("<f4")


def _linear(colors: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """sRGB bytes [V, 3] to linear 16-bit RGBA [V, 4], opaque; 8 bits would leave bands in the shadows."""
    values = colors / 255.0
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    opaque = np.concatenate([linear, np.ones_like(linear[:, :1])], axis=1)
    whole: NDArray[np.uint16] = np.round(opaque * 65535.0).astype("<u2")
    return whole


def _padded(data: bytes, filler: bytes) -> bytes:
    return data + filler * (-len(data) % _ALIGNMENT)
