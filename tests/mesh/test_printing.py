"""Prints: one manifold solid on a flat base, its size, its thin walls, and its files."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import trimesh

from geoinv.errors import GeoinvError, UsageError
from geoinv.mesh.head_mesh import is_watertight
from geoinv.mesh.printing import ColouredMesh, PrintedSolid, printed_solid, stl_bytes, three_mf_bytes, write_print

pytest.importorskip("manifold3d", reason="manifold3d is not installed")

RED, BLUE = (255, 0, 0), (0, 0, 255)


def _box(low: tuple[float, ...], high: tuple[float, ...], colour: tuple[int, int, int] = RED) -> ColouredMesh:
    box = trimesh.creation.box(bounds=[low, high])
    colours = np.full((len(box.vertices), 3), colour, np.uint8)
    return ColouredMesh(np.asarray(box.vertices, np.float32), np.asarray(box.faces, np.int64), colours)


@pytest.fixture(scope="module")
def tower() -> PrintedSolid:
    """Two boxes that overlap, from y = -1 to 2; the base at 0 leaves 2 units, which become 40 mm."""
    boxes = [_box((-0.5, -1.0, -0.5), (0.5, 1.0, 0.5)), _box((-0.3, 0.5, -0.2), (0.3, 2.0, 0.8), BLUE)]
    return printed_solid(boxes, base_y=0.0, height_mm=40.0)


def test_it_is_one_closed_piece_of_the_asked_height(tower: PrintedSolid) -> None:
    assert is_watertight(tower.mesh.faces)
    assert tower.size_mm == pytest.approx((20.0, 26.0, 40.0), abs=0.01)
    assert tower.mesh.vertices[:, 2].min() == pytest.approx(0.0, abs=1e-4)
    assert tower.volume_mm3 == pytest.approx(20.0**3 * (1.0 * 1.0 * 1.0 + 0.6 * 1.0 * 1.5 - 0.6 * 0.7 * 0.5), rel=1e-3)


def test_the_face_looks_to_minus_y(tower: PrintedSolid) -> None:
    assert tower.mesh.vertices[:, 1].min() == pytest.approx(-0.8 * 20.0, abs=0.01)


def test_colours_stay_with_their_parts(tower: PrintedSolid) -> None:
    top = tower.mesh.vertices[:, 2] > 39.0
    assert (tower.mesh.colours[top] == BLUE).all() and (tower.mesh.colours[~top] == RED).any()


@pytest.mark.parametrize(("thickness_mm", "is_thin"), [(0.6, True), (3.0, False)])
def test_walls_that_are_too_thin_are_found(thickness_mm: float, is_thin: bool) -> None:
    half = 0.5 * thickness_mm / 30.0
    plate = printed_solid([_box((-0.5, -0.5, -half), (0.5, 1.0, half))], base_y=0.0, height_mm=30.0)
    assert (plate.thin_fraction > 0.5) == is_thin
    assert is_thin or plate.thin_fraction < 0.02


def test_what_cannot_be_printed_is_refused() -> None:
    box = _box((-0.5, -1.0, -0.5), (0.5, 1.0, 0.5))
    with pytest.raises(UsageError, match="5 mm"):
        printed_solid([box], base_y=0.0, height_mm=5.0)
    with pytest.raises(GeoinvError, match="nothing is left"):
        printed_solid([box], base_y=2.0, height_mm=60.0)
    with pytest.raises(GeoinvError, match="not closed"):
        printed_solid([ColouredMesh(box.vertices, box.faces[:-1], box.colours)], base_y=0.0, height_mm=60.0)


def test_stl_is_read_back(tower: PrintedSolid) -> None:
    read = trimesh.load(io.BytesIO(stl_bytes(tower.mesh)), file_type="stl")
    assert len(read.faces) == len(tower.mesh.faces) and read.is_watertight
    assert read.volume == pytest.approx(tower.volume_mm3, rel=1e-4)


def test_3mf_holds_millimetres_and_colours(tower: PrintedSolid) -> None:
    data = three_mf_bytes(tower.mesh, {"Title": "a < b"})
    assert data == three_mf_bytes(tower.mesh, {"Title": "a < b"})
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        assert {"[Content_Types].xml", "_rels/.rels", "3D/3dmodel.model"} == set(package.namelist())
        model = ElementTree.fromstring(package.read("3D/3dmodel.model"))
    core = "{http://schemas.microsoft.com/3dmanufacturing/core/2015/02}"
    materials = "{http://schemas.microsoft.com/3dmanufacturing/material/2015/02}"
    assert model.get("unit") == "millimeter" and model.find(f"{core}metadata").text == "a < b"
    vertices, triangles = list(model.iter(f"{core}vertex")), list(model.iter(f"{core}triangle"))
    assert (len(vertices), len(triangles)) == (len(tower.mesh.vertices), len(tower.mesh.faces))
    assert {colour.get("color") for colour in model.iter(f"{materials}color")} >= {"#FF0000", "#0000FF"}


def test_other_suffixes_are_refused(tower: PrintedSolid, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a\.ply"):
        write_print(tmp_path / "a.ply", tower, {})
    write_print(tmp_path / "a.STL", tower, {})
    assert (tmp_path / "a.STL").stat().st_size == 84 + 50 * len(tower.mesh.faces)
