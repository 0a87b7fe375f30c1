"""Binary glTF, read back by the specification: units, material, normals, colours, alignment."""

from __future__ import annotations

import numpy as np
import pytest

from geoinv.mesh.glb import glb_bytes
from tests.avatar.gltf_reader import GltfReader

POSITIONS = np.array([[0.0, 0.0, 0.0], [0.1, 0.0, 0.0], [0.0, 0.2, 0.0], [0.0, 0.0, 0.3]])
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
NORMALS = np.array([[-2.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 0.6, 0.8], [0.0, 0.0, 0.0]])
COLORS = np.array([[0, 128, 255], [10, 10, 10], [255, 255, 255], [1, 2, 3]], dtype=np.uint8)


@pytest.fixture(scope="module")
def read() -> GltfReader:
    return GltfReader(glb_bytes(POSITIONS, FACES, NORMALS, COLORS))


def test_positions_and_faces_are_those_given(read: GltfReader) -> None:
    assert read.attribute("head", "POSITION") == pytest.approx(POSITIONS, abs=1e-7)
    assert (read.triangles("head") == FACES).all()
    bounds = read.document["accessors"][read.primitive("head")["attributes"]["POSITION"]]
    assert bounds["min"] == [0.0, 0.0, 0.0]
    assert np.float32(bounds["max"]).tolist() == np.float32([0.1, 0.2, 0.3]).tolist()


def test_normals_are_unit_vectors(read: GltfReader) -> None:
    expected = [[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.6, 0.8], [0.0, 1.0, 0.0]]  # the last had no direction
    assert read.attribute("head", "NORMAL") == pytest.approx(np.array(expected), abs=1e-6)


def test_colours_are_linear_in_sixteen_bits(read: GltfReader) -> None:
    colors = read.attribute("head", "COLOR_0")
    # ((128 / 255 + 0.055) / 1.055)^2.4 = 0.21586;  10 / 255 / 12.92 = 0.003035;  65535 times each
    assert colors[0].tolist() == [0, 14146, 65535, 65535]
    assert colors[1].tolist() == [199, 199, 199, 65535]
    assert len({int(color) for color in colors[3, :3]}) == 3  # the darkest tones stay apart
    accessor = read.document["accessors"][read.primitive("head")["attributes"]["COLOR_0"]]
    assert accessor["normalized"] is True


def test_the_material_is_no_metal(read: GltfReader) -> None:
    surface = read.document["materials"][read.primitive("head")["material"]]["pbrMetallicRoughness"]
    assert surface["metallicFactor"] == 0.0
    assert 0.5 < surface["roughnessFactor"] <= 1.0


@pytest.mark.parametrize("count", [3, 4, 5])
def test_any_number_of_vertices_is_aligned(count: int) -> None:
    faces = np.array([[0, 1, 2]] * (count - 2))
    read = GltfReader(
        glb_bytes(np.eye(3)[np.arange(count) % 3], faces, np.ones((count, 3)), np.zeros((count, 3), np.uint8))
    )
    assert len(read.attribute("head", "COLOR_0")) == count
