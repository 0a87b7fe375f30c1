"""Arrays and pictures in a binary glTF 2.0 file (https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html).

A :class:`GltfBuffer` keeps the bytes and the lists of accessors, buffer views and images; whoever writes a file adds
nodes, meshes and materials around them.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Json = dict[str, Any]
Kind = Literal["SCALAR", "VEC2", "VEC3", "VEC4", "MAT4"]

ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963
_COMPONENTS = {"float32": 5126, "uint8": 5121, "uint16": 5123, "uint32": 5125}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_ALIGNMENT = 4  # bytes, of chunks and of what accessors read
_SPARSE_BELOW = 0.7  # of the rows; above it an index for each costs more than the zeros


class GltfBuffer:
    """The binary part of a file, filled piece by piece; the same pieces give the same bytes.

    Attributes:
        accessors: Accessors so far.
        views: Buffer views so far.
        images: Images so far.
    """

    def __init__(self) -> None:
        self.accessors: list[Json] = []
        self.views: list[Json] = []
        self.images: list[Json] = []
        self._data = bytearray()

    def add(
        self,
        values: NDArray[Any],
        kind: Kind,
        *,
        target: int | None = ARRAY_BUFFER,
        is_normalized: bool = False,
        has_bounds: bool = False,
    ) -> int:
        """Add an array and return its accessor.

        Args:
            values: [N, ...] of float32, uint8, uint16 or uint32, as many numbers a row as ``kind`` has.
            kind: glTF's name of a row.
            target: What the view is for; None where it is neither vertices nor indices.
            is_normalized: Whether integers stand for 0 to 1.
            has_bounds: Whether the smallest and largest values are noted, which positions need.
        """
        rows = np.ascontiguousarray(values).reshape(-1, _WIDTHS[kind])
        accessor = self._accessor(rows, kind, is_normalized, has_bounds)
        return self._keep(accessor | {"bufferView": self._view(_rows_aligned(rows), target)})

    def add_indices(self, triangles: NDArray[np.integer[Any]]) -> int:
        """Add the corners of triangles [F, 3] and return their accessor; 16 bits where that is enough."""
        is_small = len(triangles) == 0 or int(triangles.max()) < 65535  # the last number is reserved
        flat = np.ascontiguousarray(triangles, dtype="<u2" if is_small else "<u4").reshape(-1)
        return self.add(flat, "SCALAR", target=ELEMENT_ARRAY_BUFFER)

    def add_offsets(self, offsets: NDArray[np.float32], *, has_bounds: bool = False) -> int:
        """Add offsets [N, 3] of which most are zero, and return their accessor; only the others are written."""
        rows = np.ascontiguousarray(offsets, dtype="<f4")
        moved = np.flatnonzero(rows.any(axis=1))
        if len(moved) > _SPARSE_BELOW * len(rows):
            return self.add(rows, "VEC3", has_bounds=has_bounds)
        accessor = self._accessor(rows, "VEC3", False, has_bounds)
        if len(moved):
            indices = moved.astype("<u2" if moved[-1] < 65535 else "<u4")
            accessor["sparse"] = {
                "count": len(moved),
                "indices": {"bufferView": self._view(indices), "componentType": _COMPONENTS[indices.dtype.name]},
                "values": {"bufferView": self._view(rows[moved])},
            }
        return self._keep(accessor)

    def add_image(self, data: bytes, mime: str, name: str) -> int:
        """Add a picture's file and return its number."""
        self.images.append({"bufferView": self._view(np.frombuffer(data, np.uint8)), "mimeType": mime, "name": name})
        return len(self.images) - 1

    def to_glb(self, document: Json) -> bytes:
        """The file: ``document`` with accessors, views, images and the buffer added."""
        lists = {"accessors": self.accessors, "bufferViews": self.views, "images": self.images}
        whole = document | {name: entries for name, entries in lists.items() if entries}
        whole["buffers"] = [{"byteLength": len(self._data)}]
        text = _padded(json.dumps(whole, separators=(",", ":"), ensure_ascii=False).encode(), b" ")
        data = bytes(self._data)
        length = 12 + 8 + len(text) + 8 + len(data)
        header = struct.pack("<4sII", b"glTF", 2, length)
        return b"".join(
            [header, struct.pack("<I4s", len(text), b"JSON"), text, struct.pack("<I4s", len(data), b"BIN\0"), data]
        )

    def _accessor(self, rows: NDArray[Any], kind: Kind, is_normalized: bool, has_bounds: bool) -> Json:
        accessor: Json = {"componentType": _COMPONENTS[rows.dtype.name], "count": len(rows), "type": kind}
        if is_normalized:
            accessor["normalized"] = True
        if has_bounds:
            accessor |= {"min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist()}
        return accessor

    def _keep(self, accessor: Json) -> int:
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def _view(self, values: NDArray[Any], target: int | None = None) -> int:
        view: Json = {"buffer": 0, "byteOffset": len(self._data), "byteLength": values.nbytes}
        if target is not None:
            view["target"] = target
        self.views.append(view)
        self._data += _padded(values.tobytes(), b"\0")
        return len(self.views) - 1


def unit_vectors(normals: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Unit vectors [V, 3]; a vertex whose faces cancel out points up."""
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    up = np.array([0.0, 1.0, 0.0])
    return np.asarray(np.where(lengths > 1e-6, normals / np.maximum(lengths, 1e-6), up), dtype="<f4")


def linear_colours(colours: NDArray[np.floating[Any]]) -> NDArray[np.uint16]:
    """sRGB [V, 3] in [0, 1] to linear 16-bit RGBA [V, 4], opaque; 8 bits would leave bands in the shadows."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    opaque = np.concatenate([linear, np.ones_like(linear[:, :1])], axis=1)
    return np.asarray(np.round(opaque * 65535.0), dtype="<u2")


def _rows_aligned(rows: NDArray[Any]) -> NDArray[Any]:
    """Check that rows of vertices begin at multiples of four bytes, as the format asks; scalars need not."""
    size = rows.itemsize * rows.shape[1]
    if rows.shape[1] > 1 and size % _ALIGNMENT:
        raise AssertionError(f"rows of {size} bytes")
    return rows


def _padded(data: bytes, filler: bytes) -> bytes:
    return data + filler * (-len(data) % _ALIGNMENT)
