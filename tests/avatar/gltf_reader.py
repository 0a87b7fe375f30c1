"""Reading binary glTF back by the specification, with what makes a file valid asserted on the way."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

DTYPES = {5126: "<f4", 5121: "u1", 5123: "<u2", 5125: "<u4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class GltfReader:
    """The document and arrays of a file."""

    def __init__(self, data: bytes) -> None:
        magic, version, length = struct.unpack_from("<4sII", data)
        assert (magic, version, length) == (b"glTF", 2, len(data))
        text_length, text_kind = struct.unpack_from("<I4s", data, 12)
        assert text_kind == b"JSON" and text_length % 4 == 0
        self.document: dict[str, Any] = json.loads(data[20 : 20 + text_length])
        binary_length, binary_kind = struct.unpack_from("<I4s", data, 20 + text_length)
        assert binary_kind == b"BIN\0" and binary_length % 4 == 0
        self.binary = data[28 + text_length :]
        assert len(self.binary) == binary_length == self.document["buffers"][0]["byteLength"]
        self.meshes = {mesh["name"]: mesh for mesh in self.document["meshes"]}
        self.nodes = {node["name"]: node for node in self.document["nodes"]}

    def array(self, number: int) -> np.ndarray:
        """[N, C] values of an accessor, sparse or not; bounds are those of the values."""
        accessor = self.document["accessors"][number]
        width, dtype = WIDTHS[accessor["type"]], DTYPES[accessor["componentType"]]
        if "bufferView" in accessor:
            values = self._view(accessor["bufferView"], dtype, accessor["count"] * width).reshape(-1, width)
        else:
            values = np.zeros((accessor["count"], width), dtype)
        if (sparse := accessor.get("sparse")) is not None:
            rows = self._view(sparse["indices"]["bufferView"], DTYPES[sparse["indices"]["componentType"]])
            rows = rows[: sparse["count"]]
            assert (np.diff(rows.astype(int)) > 0).all() and rows[-1] < accessor["count"]
            values = values.copy()
            values[rows] = self._view(sparse["values"]["bufferView"], dtype, sparse["count"] * width).reshape(-1, width)
        if "min" in accessor:
            assert values.min(axis=0).tolist() == accessor["min"] and values.max(axis=0).tolist() == accessor["max"]
        return values

    def _view(self, number: int, dtype: str, count: int | None = None) -> np.ndarray:
        view = self.document["bufferViews"][number]
        assert view["byteOffset"] % 4 == 0
        values = np.frombuffer(self.binary[view["byteOffset"] :][: view["byteLength"]], dtype)
        assert count is None or len(values) == count
        return values

    def primitive(self, mesh: str) -> dict[str, Any]:
        (primitive,) = self.meshes[mesh]["primitives"]
        return primitive

    def attribute(self, mesh: str, name: str) -> np.ndarray:
        return self.array(self.primitive(mesh)["attributes"][name])

    def triangles(self, mesh: str) -> np.ndarray:
        return self.array(self.primitive(mesh)["indices"]).reshape(-1, 3)

    def morph(self, mesh: str, target: str, name: str = "POSITION") -> np.ndarray:
        """[M, 3] offsets of a morph target."""
        number = self.meshes[mesh]["extras"]["targetNames"].index(target)
        return self.array(self.primitive(mesh)["targets"][number][name])

    def image(self, number: int) -> bytes:
        view = self.document["bufferViews"][self.document["images"][number]["bufferView"]]
        return self.binary[view["byteOffset"] :][: view["byteLength"]]
