"""Avatars at rest: colours become textures, and OBJ and USDZ hold the same meshes."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from geoinv.avatar.export import avatar_paths, check_avatar_suffix, write_avatar
from geoinv.avatar.hair import Hair
from geoinv.avatar.obj import avatar_obj
from geoinv.avatar.still import colour_atlas, still_meshes
from geoinv.errors import MissingDependencyError, UsageError
from tests.avatar.people import an_avatar

TRIANGLE = Hair(
    np.eye(3, dtype=np.float32),
    np.ones((3, 3), np.float32) / np.sqrt(np.float32(3.0)),
    np.array([[0, 1, 2]]),
    np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], np.float32),
    np.zeros(3, np.int64),
)
COLOURED = replace(an_avatar(), hair=TRIANGLE)


def _bilinear(texture: np.ndarray, place: np.ndarray) -> np.ndarray:
    side = len(texture)
    x, y = place[0] * side - 0.5, (1.0 - place[1]) * side - 0.5
    column, row = min(int(x + 1e-6), side - 2), min(int(y + 1e-6), side - 2)
    u, v = x - column, y - row
    block = texture[row : row + 2, column : column + 2].astype(float)
    return (1 - v) * ((1 - u) * block[0, 0] + u * block[0, 1]) + v * ((1 - u) * block[1, 0] + u * block[1, 1])


def test_an_atlas_shows_colours_between_vertices_too() -> None:
    random = np.random.default_rng(0)
    colours = random.uniform(0.3, 0.6, (6, 3)).astype(np.float32)  # so that no fourth texel leaves the range
    triangles = np.array([[0, 1, 2], [2, 1, 3], [3, 4, 5]])
    places, corners, texture = colour_atlas(colours, triangles)
    for triangle, corner in zip(triangles, corners, strict=True):
        for weights in ([1, 0, 0], [0, 1, 0], [0, 0, 1], [0.2, 0.3, 0.5], [1 / 3, 1 / 3, 1 / 3]):
            shown = _bilinear(texture, np.asarray(weights) @ places[corner])
            assert shown == pytest.approx(255.0 * np.asarray(weights) @ colours[triangle], abs=1.5)


def test_meshes_are_those_of_the_avatar_without_seams() -> None:
    meshes = {mesh.name: mesh for mesh in still_meshes(COLOURED)}
    skin, part = meshes["skin"], COLOURED.skin
    assert len(skin.positions) == len(np.unique(part.rows)) < len(part.rows)
    np.testing.assert_array_equal(skin.positions[skin.triangles], part.positions[part.triangles])
    np.testing.assert_array_equal(skin.uvs[skin.uv_triangles], part.uvs[part.triangles])
    assert "hair" in meshes and list(meshes)[-1] == "hair"


def test_obj_in_millimetres_with_materials_and_textures(tmp_path: Path) -> None:
    files = write_avatar(tmp_path / "head.obj", COLOURED)
    names = [f"head_{material}.png" for material in ("skin", "teeth", "tongue", "eyes", "hair")]
    assert [file.name for file in files] == ["head.obj", "head.mtl", *names]
    assert files == avatar_paths(tmp_path / "head.obj")
    library = (tmp_path / "head.mtl").read_text()
    assert all(f"map_Kd {name}" in library and Image.open(tmp_path / name) for name in names)
    scene = trimesh.load(tmp_path / "head.obj")
    skin = scene.geometry["skin"]
    assert 150.0 < skin.extents[1] < 400.0
    assert len(skin.faces) == len(COLOURED.skin.triangles)
    places = skin.triangles.reshape(-1, 3)
    expected = 370.0 * COLOURED.skin.positions[COLOURED.skin.triangles].reshape(-1, 3)
    np.testing.assert_allclose(np.sort(places, axis=0), np.sort(expected, axis=0), atol=1e-3)


def test_obj_without_hair_has_no_texture_of_it() -> None:
    assert "head_hair.png" not in avatar_obj(an_avatar(), "head")


def test_usdz_holds_the_same_meshes_in_metres(tmp_path: Path) -> None:
    pytest.importorskip("pxr", reason="usd-core is not installed")
    from pxr import Usd, UsdGeom, UsdShade

    write_avatar(tmp_path / "head.usdz", COLOURED)
    stage = Usd.Stage.Open(str(tmp_path / "head.usdz"))
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1.0 and UsdGeom.GetStageUpAxis(stage) == "Y"
    assert stage.GetDefaultPrim().GetName() == "avatar"
    meshes = {prim.GetName(): UsdGeom.Mesh(prim) for prim in stage.Traverse() if prim.IsA(UsdGeom.Mesh)}
    assert set(meshes) == {"skin", "teeth", "tongue", "right_eye", "left_eye", "hair"}
    places = np.asarray(meshes["skin"].GetPointsAttr().Get())
    assert 0.15 < np.ptp(places[:, 1]) < 0.4
    assert len(meshes["skin"].GetFaceVertexCountsAttr().Get()) == len(COLOURED.skin.triangles)
    for mesh in meshes.values():
        material, _ = UsdShade.MaterialBindingAPI(mesh.GetPrim()).ComputeBoundMaterial()
        texture = UsdShade.Shader(stage.GetPrimAtPath(material.GetPath().AppendChild("texture")))
        assert texture.GetInput("file").Get().resolvedPath
    assert stage.GetRootLayer().customLayerData["licence"] == "CC0-1.0"


def test_a_format_without_its_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geoinv.avatar.export.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError) as caught:
        check_avatar_suffix(Path("a.usdz"))
    assert "geoinv[usd]" in str(caught.value.hint)
    assert check_avatar_suffix(Path("a.GLB")) == ".glb"
    with pytest.raises(UsageError, match=r"a\.fbx"):
        check_avatar_suffix(Path("a.fbx"))


def test_pictures_are_read_back(tmp_path: Path) -> None:
    skin = Image.open(io.BytesIO(avatar_obj(COLOURED, "a")["a_skin.png"]))
    np.testing.assert_array_equal(np.asarray(skin), COLOURED.textures["skin"])
