"""geoinv export-avatar: a .geoinv file to an avatar."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.avatar.gltf_reader import GltfReader

from .conftest import Done


def test_glb(geoinv: Callable[..., Done], inverted: Path) -> None:
    done = geoinv("export-avatar", inverted, "--out", "deep/head.glb", "--json")
    assert done.code == 0, done.err
    read = GltfReader(Path("deep/head.glb").read_bytes())
    assert done.json["morph_targets"] == 67
    assert done.json["bytes"] == Path("deep/head.glb").stat().st_size
    assert all(0.2 < side < 0.4 for side in done.json["size_m"])
    assert read.document["asset"]["extras"]["model"] == "mini"
    assert sum(len(read.triangles(mesh)) for mesh in read.meshes) == done.json["triangles"]


def test_names_and_refusals(geoinv: Callable[..., Done], inverted: Path) -> None:
    assert geoinv("export-avatar", inverted).code == 0
    assert Path("outputs/woman_avatar.glb").exists()
    geoinv("export-avatar", inverted).assert_fails(2, "outputs/woman_avatar.glb exists", "--overwrite")
    geoinv("export-avatar", inverted, "--out", "head.fbx").assert_fails(2, "head.fbx", ".glb")
    geoinv("export-avatar", "gone.geoinv").assert_fails(2, "no such file")
