"""Binary glTF, read back by the specification: units, material, normals, colours, alignment."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest

from geoinv.mesh.glb import glb_bytes

POSITIONS = np.array([[0.0, 0.0, 0.0], [0.1, 0.0, 0.0], [0.0, 0.2, 0.0], [0.0, 0.0, 0.3]])
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
NORMALS = np.array([[-2.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 0.6, 0.8], [0.0, 0.0, 0.0]])
COLORS = np.array([[0, 128, 255], [10, 10, 10], [255, 255, 255], [1, 2, 3]], dtype=np.uint8)
DTYPES = {5126: "<f4", 5123: "<u2", 5125: "<u4"}
WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}


class Read:
    """The document and arrays of a file, by glTF's own rules."""

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
        (self.primitive,) = self.document["meshes"][0]["primitives"]

    def array(self, index: int) -> np.ndarray:
        accessor = self.document["accessors"][index]
        view = self.document["bufferViews"][accessor["bufferView"]]
        width = WIDTHS[accessor["type"]]
        assert view["byteOffset"] % 4 == 0
        values = np.frombuffer(
            self.binary, DTYPES[accessor["componentType"]], accessor["count"] * width, view["byteOffset"]
        )
        assert values.nbytes == view["byteLength"]
        return values.reshape(-1, width) if width > 1 else values

    def attribute(self, name: str) -> np.ndarray:
        return self.array(self.primitive["attributes"][name])


@pytest.fixture(scope="module")
def read() -> Read:
    return Read(glb_bytes(POSITIONS, FACES, NORMALS, COLORS))


def test_positions_and_faces_are_those_given(read: Read) -> None:
    assert read.attribute("POSITION") == pytest.approx(POSITIONS, abs=1e-7)
    assert (read.array(read.primitive["indices"]).reshape(-1, 3) == FACES).all()
    bounds = read.document["accessors"][read.primitive["attributes"]["POSITION"]]
    assert bounds["min"] == [0.0, 0.0, 0.0]
    assert np.float32(bounds["max"]).tolist() == np.float32([0.1, 0.2, 0.3]).tolist()


def test_normals_are_unit_vectors(read: Read) -> None:
    expected = [[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.6, 0.8], [0.0, 1.0, 0.0]]  # the last had no direction
    assert read.attribute("NORMAL") == pytest.approx(np.array(expected), abs=1e-6)


def test_colours_are_linear_in_sixteen_bits(read: Read) -> None:
    colors = read.attribute("COLOR_0")
    # ((128 / 255 + 0.055) / 1.055)^2.4 = 0.21586;  10 / 255 / 12.92 = 0.003035;  65535 times each
    assert colors[0].tolist() == [0, 14146, 65535, 65535]
    assert colors[1].tolist() == [199, 199, 199, 65535]
    assert len({int(color) for color in colors[3, :3]}) == 3  # the darkest tones stay apart
    accessor = read.document["accessors"][read.primitive["attributes"]["COLOR_0"]]
    assert accessor["normalized"] is True


def test_the_material_is_no_metal(read: Read) -> None:
    surface = read.document["materials"][read.primitive["material"]]["pbrMetallicRoughness"]
    assert surface["metallicFactor"] == 0.0
    assert 0.5 < surface["roughnessFactor"] <= 1.0


@pytest.mark.parametrize("count", [3, 4, 5])
def test_any_number_of_vertices_is_aligned(count: int) -> None:
    faces = np.array([[0, 1, 2]] * (count - 2))
    read = Read(glb_bytes(np.eye(3)[np.arange(count) % 3], faces, np.ones((count, 3)), np.zeros((count, 3), np.uint8)))
    assert len(read.attribute("COLOR_0")) == count
