"""geoinv export-avatar: a .geoinv file to an avatar."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.avatar.gltf_reader import GltfReader

from .conftest import Done

QUICK = ("--texture", "1024")


def test_glb(geoinv: Callable[..., Done], inverted: Path) -> None:
    done = geoinv("export-avatar", inverted, "--out", "deep/head.glb", "--json", *QUICK)
    assert done.code == 0, done.err
    read = GltfReader(Path("deep/head.glb").read_bytes())
    assert done.json["morph_targets"] == 67
    assert done.json["bytes"] == Path("deep/head.glb").stat().st_size
    assert all(0.2 < side < 0.4 for side in done.json["size_m"])
    assert read.document["asset"]["extras"]["model"] == "mini"
    assert "hair" in read.meshes and done.json["has_hair"] and done.json["texture"] == 1024
    assert read.meshes["hair"]["primitives"][0]["material"] == len(read.document["materials"]) - 1
    assert [m["name"] for m in read.document["materials"] if m.get("doubleSided")] == ["hair"]
    assert "_SEEN" in read.meshes["skin"]["primitives"][0]["attributes"]
    assert [sum(len(read.triangles(mesh)) for mesh in read.meshes)] == done.json["triangles"]


def test_names_and_refusals(geoinv: Callable[..., Done], inverted: Path) -> None:
    assert geoinv("export-avatar", inverted, "--no-hair", *QUICK).code == 0
    assert "hair" not in GltfReader(Path("outputs/woman_avatar.glb").read_bytes()).meshes
    geoinv("export-avatar", inverted).assert_fails(2, "outputs/woman_avatar.glb exists", "--overwrite")
    geoinv("export-avatar", inverted, "--out", "head.fbx").assert_fails(2, "head.fbx", ".glb")
    geoinv("export-avatar", "gone.geoinv").assert_fails(2, "no such file")


def test_the_photo_itself_is_taken_and_another_is_not(
    geoinv: Callable[..., Done], inverted: Path, woman: Path, tmp_path: Path
) -> None:
    assert geoinv("export-avatar", inverted, "--photo", woman, "--no-hair", *QUICK).code == 0
    other = tmp_path / "other.jpg"
    Image.open(woman).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(other)
    geoinv("export-avatar", inverted, "--photo", other, "--out", "b.glb").assert_fails(5, "not the photo of woman.jpg")
    geoinv("export-avatar", inverted, "--photo", "gone.jpg", "--out", "b.glb").assert_fails(5, "gone.jpg")


def test_light_is_taken_out_and_said_to_be_guessed(geoinv: Callable[..., Done], inverted: Path) -> None:
    lit = geoinv("export-avatar", inverted, "--out", "lit.obj", "--no-hair", "--json", *QUICK)
    bare = geoinv("export-avatar", inverted, "--out", "bare.obj", "--no-hair", "--albedo", "--json", *QUICK)
    assert bare.code == 0, bare.err
    assert bare.json["is_albedo"] and not lit.json["is_albedo"]
    assert any("light is guessed" in warning for warning in bare.json["warnings"])
    assert Path("bare_skin.png").read_bytes() != Path("lit_skin.png").read_bytes()
    # the photo's own eyes have its highlights, so that eyes without light are drawn
    assert Path("bare_eyes.png").read_bytes() != Path("lit_eyes.png").read_bytes()
    assert Path("bare_tongue.png").read_bytes() == Path("lit_tongue.png").read_bytes()


@pytest.mark.parametrize("texture", ["100", "big"])
def test_textures_have_fixed_sizes(geoinv: Callable[..., Done], inverted: Path, texture: str) -> None:
    geoinv("export-avatar", inverted, "--texture", texture).assert_fails(2, "--texture", "2048")


def test_for_games_there_are_levels_of_detail(geoinv: Callable[..., Done], inverted: Path) -> None:
    done = geoinv("export-avatar", inverted, "--for", "game", "--out", "g/head.glb", "--no-hair", "--json", *QUICK)
    assert done.code == 0, done.err
    names = ["head.glb", "head_lod1.glb", "head_lod2.glb"]
    assert sorted(path.name for path in Path("g").iterdir()) == names
    assert sorted(done.json["triangles"], reverse=True) == done.json["triangles"]
    sizes = [Image.open(_skin(Path("g") / name)).size for name in names]
    assert sizes == [(1024, 1024), (512, 512), (256, 256)]
    geoinv("export-avatar", inverted, "--for", "game", "--out", "g/head.glb").assert_fails(2, "exists")


def test_for_the_web_it_is_small(geoinv: Callable[..., Done], inverted: Path) -> None:
    done = geoinv("export-avatar", inverted, "--for", "web", "--json")
    assert done.code == 0, done.err
    assert done.json["texture"] == 1024 and Path("outputs/woman_avatar.glb").stat().st_size < 3_000_000


def test_obj_comes_with_its_files(geoinv: Callable[..., Done], inverted: Path) -> None:
    done = geoinv("export-avatar", inverted, "--out", "o/head.obj", "--no-hair", *QUICK)
    assert done.code == 0, done.err
    names = ["head.mtl", "head.obj", *(f"head_{name}.png" for name in ("eyes", "skin", "teeth", "tongue"))]
    assert sorted(path.name for path in Path("o").iterdir()) == names


def _skin(path: Path) -> io.BytesIO:
    read = GltfReader(path.read_bytes())
    (number,) = (n for n, image in enumerate(read.document["images"]) if image["name"] == "skin")
    return io.BytesIO(read.image(number))


def test_for_print_it_is_one_solid(geoinv: Callable[..., Done], inverted: Path) -> None:
    pytest.importorskip("manifold3d", reason="manifold3d is not installed")
    done = geoinv(
        "export-avatar", inverted, "--for", "print", "--height", "5cm", "--out", "b.3mf", "--no-hair", "--json"
    )
    assert done.code == 0, done.err
    assert done.json["size_mm"][2] == 50.0 and done.json["unit"] == "mm" and Path("b.3mf").stat().st_size > 1000
    geoinv("export-avatar", inverted, "--height", "50mm").assert_fails(2, "--for print", "--height")
    geoinv("export-avatar", inverted, "--for", "print", "--out", "b.glb").assert_fails(2, ".stl or .3mf")
    geoinv("export-avatar", inverted, "--for", "print", "--height", "tall", "--out", "c.stl").assert_fails(2, "tall")


def test_meshes_have_purposes_too(geoinv: Callable[..., Done], inverted: Path) -> None:
    done = geoinv("export-mesh", inverted, "--for", "game", "--resolution", "32", "--out", "m/head.glb", "--json")
    assert done.code == 0, done.err
    assert sorted(path.name for path in Path("m").iterdir()) == ["head.glb", "head_lod1.glb", "head_lod2.glb"]
    pytest.importorskip("manifold3d", reason="manifold3d is not installed")
    done = geoinv("export-mesh", inverted, "--for", "print", "--resolution", "32", "--json")
    assert done.code == 0, done.err
    assert done.json["size_mm"][2] == 60.0 and Path("outputs/woman.stl").exists()
    geoinv("export-mesh", inverted, "--for", "web", "--simplify", "500").assert_fails(2, "--for", "--simplify")
