"""geoinv render, edit, export-mesh: all that needs only a .geoinv file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geoinv.inversion import Inversion
from tests.tiny_models import write_tiny_weights

from .conftest import Done


def names(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def test_render_takes_the_newest_and_says_so(geoinv: Callable[..., Done], inverted: Path) -> None:
    Path("outputs").mkdir()
    shutil.copy(inverted, "outputs/old.geoinv")
    shutil.copy2(inverted, "outputs/new.geoinv")
    import os

    os.utime("outputs/old.geoinv", (1, 1))
    done = geoinv("render", "--views", "3", "--depth", "--normals")
    assert done.code == 0
    assert "outputs/new.geoinv, the newest" in done.err
    assert names("outputs") == ["new.geoinv", "new_views.png", "old.geoinv"]
    width, height = Image.open("outputs/new_views.png").size
    assert width == 3 * 64 + 2 * 4
    assert height > 3 * 32


def test_render_angles_and_videos(geoinv: Callable[..., Done], inverted: Path) -> None:
    done = geoinv(
        "render", inverted, "--out", "o", "--yaw", "-30,30", "--pitch", "5", "--video", "--gif", "--frames", "3"
    )
    assert done.code == 0
    pictures = ["woman_yaw+30_pitch+5.png", "woman_yaw-30_pitch+5.png"]
    assert names("o") == ["woman_video.gif", "woman_video.mp4", *pictures]
    assert Image.open("o/woman_video.gif").n_frames == 3
    left, right = (np.asarray(Image.open(f"o/{name}")) for name in pictures)
    assert not np.array_equal(left, right)


def test_render_is_repeatable(geoinv: Callable[..., Done], inverted: Path) -> None:
    for out in ("a", "b"):
        geoinv("render", inverted, "--out", out, "--views", "2", "--video", "--frames", "3", "--depth")
    assert len(names("a")) == 3
    for name in names("a"):
        assert (Path("a") / name).read_bytes() == (Path("b") / name).read_bytes()


def test_render_refuses(geoinv: Callable[..., Done], inverted: Path, woman: Path) -> None:
    geoinv("render").assert_fails(2, "no inversion in outputs", "geoinv invert")
    geoinv("render", "gone.geoinv").assert_fails(2, "no such file")
    geoinv("render", woman).assert_fails(3, "not a geoinv inversion")
    geoinv("render", inverted, "--yaw", "left").assert_fails(2, "--yaw")
    geoinv("render", inverted, "--yaw", "1,2,3", "--pitch", "1,2").assert_fails(2, "3 yaws")
    geoinv("render", inverted, "--pitch", "90").assert_fails(2, "89 degrees")
    Path("cut.geoinv").write_bytes(inverted.read_bytes()[:5000])
    geoinv("render", "cut.geoinv").assert_fails(3, "cut or damaged")
    Path("outputs").mkdir()
    Path("outputs/woman_views.png").write_bytes(b"mine")
    geoinv("render", inverted).assert_fails(2, "exists", "--overwrite")
    assert Path("outputs/woman_views.png").read_bytes() == b"mine"


def test_inversions_of_another_model(
    geoinv: Callable[..., Done], inverted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEOINV_WEIGHTS", str(write_tiny_weights(tmp_path / "other", seed=5)))
    for command in (["render"], ["edit", "--attr", "smile"], ["export-mesh"]):
        geoinv(*command, inverted).assert_fails(3, "made by generator mini")
    assert not Path("outputs").exists()


def test_edit(geoinv: Callable[..., Done], inverted: Path) -> None:
    done = geoinv("edit", inverted, "--attr", "smile", "--attr", "Hair-dark=-0.5", "--save", "--views", "2", "--json")
    assert done.code == 0
    assert done.json["edits"] == {"smile": 1.0, "hair_dark": -0.5}
    assert names("outputs") == ["woman_smile_hair_dark-0.5.geoinv", "woman_smile_hair_dark-0.5.png"]
    edited = Inversion.load("outputs/woman_smile_hair_dark-0.5.geoinv")
    assert edited.edits == done.json["edits"]
    assert not np.allclose(edited.w_plus, Inversion.load(inverted).w_plus)


def test_render_shows_what_was_guessed(geoinv: Callable[..., Done], inverted: Path) -> None:
    done = geoinv("render", inverted, "--yaw", "0,30", "--seen", "--json")
    assert [Path(file).stem.rsplit("_", 1)[1] for file in done.json["files"]].count("seen") == 2
    plain, tinted = (np.asarray(Image.open(file)).astype(int) for file in done.json["files"][2:])
    changed = np.abs(plain - tinted).max(axis=-1) > 8
    assert 0.0 < changed.mean() < 0.9


def test_edit_strip(geoinv: Callable[..., Done], inverted: Path) -> None:
    done = geoinv("edit", inverted, "--attr", "smile=2", "--strip", "3", "--json")
    strip = np.asarray(Image.open(done.json["files"][0]))
    side = (strip.shape[1] - 2 * 4) // 3
    first, second, third = (strip[:side, i * (side + 4) : i * (side + 4) + side].astype(int) for i in range(3))
    assert np.abs(first - second).max() > 0 and np.abs(second - third).max() > 0


def test_edit_keeps_the_identity(geoinv: Callable[..., Done], inverted: Path) -> None:
    free = geoinv("edit", inverted, "--attr", "smile", "--keep-identity", "10", "--save", "--json").json
    assert free["identity_scale"] == 1.0 and free["edits"] == {"smile": 1.0}
    bound = geoinv("edit", inverted, "--attr", "smile", "--keep-identity", "0", "--overwrite", "--json")
    assert bound.json["identity_distance"] == 0.0
    assert bound.json["edits"]["smile"] == 0.0


def test_edit_lists(geoinv: Callable[..., Done]) -> None:
    assert geoinv("edit", "--list").out.splitlines() == [
        "age        older",
        "hair_dark  darker hair",
        "smile      a broad smile",
    ]
    assert list(geoinv("edit", "--list", "--json").json["attributes"]) == ["age", "hair_dark", "smile"]


def test_edit_refuses(geoinv: Callable[..., Done], inverted: Path) -> None:
    geoinv("edit", inverted, "--attr", "smlie").assert_fails(2, "smlie", "did you mean smile")
    geoinv("edit", inverted).assert_fails(2, "no attribute", "--list")
    geoinv("edit", inverted, "--attr", "smile=big").assert_fails(2, "smile=big")
    geoinv("edit", inverted, "--attr", "smile", "--attr", "smile=2").assert_fails(2, "twice")
    assert not Path("outputs").exists()


@pytest.mark.parametrize("suffix", ["ply", "obj", "glb", "stl"])
def test_export_mesh(geoinv: Callable[..., Done], inverted: Path, suffix: str) -> None:
    import trimesh

    done = geoinv("export-mesh", inverted, "--out", f"deep/head.{suffix}", "--resolution", "32", "--json")
    assert done.code == 0
    assert done.json["is_watertight"] is True
    mesh = trimesh.load(f"deep/head.{suffix}", force="mesh", process=suffix == "stl")
    assert len(mesh.faces) == done.json["faces"]
    assert max(done.json["size_mm"]) < 400.0


@pytest.mark.parametrize("suffix", ["ply", "glb"])
def test_export_mesh_is_repeatable(geoinv: Callable[..., Done], inverted: Path, suffix: str) -> None:
    files = [Path(f"{name}.{suffix}") for name in ("a", "b")]
    for file in files:
        assert geoinv("export-mesh", inverted, "--out", file, "--resolution", "32", "--simplify", "500").code == 0
    assert files[0].read_bytes() == files[1].read_bytes()


def test_export_mesh_finds_the_newest(geoinv: Callable[..., Done], inverted: Path) -> None:
    Path("outputs").mkdir()
    shutil.copy(inverted, "outputs")
    done = geoinv("export-mesh", "--out", "head.ply", "--resolution", "32", "--simplify", "200")
    assert (done.code, Path("head.ply").exists()) == (0, True)
    assert "using outputs/woman.geoinv" in done.err
    assert geoinv("export-mesh", "--resolution", "32").code == 0
    assert Path("outputs/woman.ply").exists()
    geoinv("export-mesh", "--resolution", "32").assert_fails(2, "outputs/woman.ply exists")
    geoinv("export-mesh", "--out", "head.dae").assert_fails(2, "head.dae", ".ply")


def test_sizes_of_views(geoinv: Callable[..., Done], inverted: Path, woman: Path) -> None:
    """By default a view is twice the generator's; the crop or the photo gives what a larger one shows beyond it."""
    for asked, side in (([], 64), (["--size", "512"], 512), (["--size", "1024", "--photo", str(woman)], 1024)):
        done = geoinv("render", inverted, "--yaw", "0", "--json", "--overwrite", *asked)
        assert done.code == 0, done.err
        assert Image.open(done.json["files"][0]).size == (side, side)


def test_sizes_that_cannot_be(geoinv: Callable[..., Done], inverted: Path, woman: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    Image.new("RGB", (300, 300), "red").save(other)
    geoinv("render", inverted, "--yaw", "0", "--photo", woman).assert_fails(2, "--photo", "--size")
    geoinv("render", inverted, "--yaw", "0", "--size", "512", "--photo", other).assert_fails(5, "not the photo of")
    geoinv("edit", inverted, "-a", "smile", "--strip", "3", "--size", "512").assert_fails(2, "--strip", "usual size")
