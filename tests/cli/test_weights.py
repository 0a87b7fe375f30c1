"""geoinv weights, and --model with a converted network of EG3D in every command."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from geoinv.checkpoints.eg3d_convert import convert_eg3d
from geoinv.checkpoints.store import load_generator, sha256_of
from geoinv.inversion import Inversion
from geoinv.models.config import GeneratorConfig
from geoinv.models.eg3d_releases import release
from geoinv.models.generator import TriPlaneGenerator
from tests.checkpoints.official_pickles import small_release, write_official_pickle

from .conftest import Done


def quick(config: GeneratorConfig) -> GeneratorConfig:
    """A release of few channels with the smallest super-resolution, so that pictures are 128 px."""
    return replace(small_release(config), resolution=128, superresolution="hybrid2x")


def solid(config: GeneratorConfig) -> TriPlaneGenerator:
    """A random generator that is dense everywhere, as one with a background is."""
    torch.manual_seed(0)
    generator = TriPlaneGenerator(config)
    with torch.no_grad():
        generator.decoder.net[2].bias[0] = 60.0
    return generator


@pytest.fixture(scope="module")
def pickles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pickles")
    names = ("ffhq512-128", "shapenetcars128-64")
    return {
        name: write_official_pickle(folder / f"{name}.pkl", solid(quick(release(name))), has_others=False)
        for name in names
    }


@pytest.fixture(scope="module")
def models(pickles: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {name: convert_eg3d(pickle, folder / f"{name}.safetensors").path for name, pickle in pickles.items()}


@pytest.fixture
def index(tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of weights of this test's own, and an empty cache."""
    folder = tmp_path / "shipped"
    shutil.copytree(tiny_weights, folder)
    (folder / "index.toml").write_text(
        f"""
[mini-generator]
file = "mini-generator.safetensors"
sha256 = "{sha256_of(folder / "mini-generator.safetensors")}"
licence = "CC0-1.0"
source = "us"

[faces]
file = "faces.pkl"
url = "http://127.0.0.1:9/faces.pkl"
licence = "X Licence"
licence_url = "https://x/licence"
non_commercial = true
crop = "eg3d-face"
source = "them"
"""
    )
    monkeypatch.setenv("GEOINV_WEIGHTS", str(folder))
    monkeypatch.setenv("GEOINV_CACHE", str(tmp_path / "cache"))
    return folder


def inversion_of(model: Path, path: Path) -> Path:
    """A .geoinv of a model, as an inversion would make it."""
    generator, info = load_generator(str(model))
    torch.manual_seed(3)
    Inversion(
        w_plus=torch.randn(1, generator.config.num_ws, generator.config.w_dim),
        camera=torch.tensor([0.1, 0.05, 0.0, 0.0, 0.0, 0.0]),
        photo=np.zeros((512, 512, 3), np.uint8),
        crop=np.eye(2, 3),
        source="x.jpg",
        source_size=(512, 512),
        generator=info.name,
        generator_sha256=info.sha256,
    ).save(path)
    return path


def test_convert(geoinv: Callable[..., Done], pickles: dict[str, Path]) -> None:
    done = geoinv("weights", "convert", pickles["ffhq512-128"], "faces.safetensors", "--json")
    assert done.code == 0
    assert (done.json["model"], done.json["resolution"], done.json["ray_grid"]) == ("faces.safetensors", 128, 16)
    facts = geoinv("weights", "info", "faces.safetensors", "--json").json
    assert (facts["crop"], facts["encoder"], facts["attributes"]) == ("eg3d-face", False, [])
    assert facts["notes"]["source_file"] == "ffhq512-128.pkl"
    convert = ("weights", "convert", pickles["ffhq512-128"])
    geoinv(*convert, "faces.safetensors").assert_fails(2, "faces.safetensors exists", "--overwrite")
    geoinv(*convert, "faces.pkl").assert_fails(2, "does not end in .safetensors")
    Path("cut.pkl").write_bytes(pickles["ffhq512-128"].read_bytes()[:50_000])
    geoinv("weights", "convert", "cut.pkl", "x.safetensors").assert_fails(3, "cut.pkl: the pickle is cut short")
    Path("attack.pkl").write_bytes(b"cposix\nsystem\n(S'touch ran'\ntR.")
    geoinv("weights", "convert", "attack.pkl", "x.safetensors").assert_fails(3, "attack.pkl: it is neither a pickle")
    Path("attack.pkl").write_bytes(b"\x80\x04cposix\nsystem\n\x8c\x09touch ran\x85R.")
    geoinv("weights", "convert", "attack.pkl", "x.safetensors").assert_fails(3, "wants posix.system, which is not")
    assert not Path("ran").exists()
    geoinv("weights", "convert", "gone.pkl", "x.safetensors").assert_fails(3, "cannot read gone.pkl: no such file")
    assert not Path("x.safetensors").exists()


def test_list_info_and_verify(geoinv: Callable[..., Done], index: Path) -> None:
    lines = geoinv("weights", "list").out.splitlines()
    assert lines[0].split()[:2] == ["mini-generator", "here"]
    assert lines[1].startswith("faces") and "not fetched" in lines[1] and "X Licence, non-commercial" in lines[1]
    assert [entry["name"] for entry in geoinv("weights", "list", "--json").json["weights"]] == [
        "mini-generator",
        "faces",
    ]
    facts = geoinv("weights", "info", "mini", "--json").json
    assert facts["attributes"] == ["age", "hair_dark", "smile"]
    assert (facts["licence"], facts["encoder"], facts["resolution"]) == ("CC0-1.0", True, 32)
    assert geoinv("weights", "info", "faces", "--json").json["licence_url"] == "https://x/licence"
    assert "licence" in geoinv("weights", "info", "mini").out
    geoinv("weights", "info", "face").assert_fails(2, "unknown weights 'face'", "did you mean faces?")
    geoinv("weights", "info", "gone.safetensors").assert_fails(3, "no such file")
    assert geoinv("weights", "verify", "--json").json == {"weights": {"mini-generator": "ok"}, "bad": []}
    assert geoinv("weights", "verify", "faces").code == 1
    with (index / "mini-generator.safetensors").open("ab") as file:
        file.write(b"x")
    done = geoinv("weights", "verify")
    assert done.code == 1
    assert "damaged" in done.out


def test_the_shipped_index_holds(geoinv: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEOINV_WEIGHTS")
    entries = {entry["name"]: entry for entry in geoinv("weights", "list", "--json").json["weights"]}
    assert all(entry["licence"] and entry["source"] for entry in entries.values())
    for name in ("ffhq512-64", "ffhq512-128", "ffhqrebalanced512-64", "ffhqrebalanced512-128"):
        assert entries[name]["non_commercial"] and entries[name]["url"].endswith(f"/{name}.pkl")
        assert entries[name]["sha256"] is None, "NVIDIA publishes none"
    shipped = [entry for entry in entries.values() if entry["url"] is None]
    assert len(shipped) >= 9 and all(len(entry["sha256"]) == 64 and entry["size"] for entry in shipped)


def test_fetch_refuses(geoinv: Callable[..., Done], index: Path) -> None:
    done = geoinv("weights", "fetch", "faces")
    assert done.code == 2
    assert "faces: X Licence, https://x/licence" in done.err
    assert "--accept-licence" in done.err
    done = geoinv("weights", "fetch", "faces", "--accept-licence")
    assert done.code == 3
    assert "error: no network: 127.0.0.1 cannot be reached" in done.err
    geoinv("weights", "fetch", "mini-generator", "-q").assert_fails(2, "ships with geoinv")
    geoinv("eval", "--model", "faces").assert_fails(3, "'faces' are not here", "geoinv weights fetch faces")
    geoinv("eval", "--model", "x.pkl").assert_fails(3, "x.pkl is no file of geoinv", "geoinv weights convert x.pkl")


def test_fetched_pickles_are_models_by_name(
    geoinv: Callable[..., Done], index: Path, pickles: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from geoinv.checkpoints import fetch as fetching

    def download(url: str, part: Path, on_progress: object) -> None:
        shutil.copy(pickles["ffhq512-128"], part)

    monkeypatch.setattr(fetching, "_download", download)
    done = geoinv("weights", "fetch", "faces", "--accept-licence", "--json")
    assert done.code == 0, done.err
    assert [Path(file).name for file in done.json["files"]] == ["faces.pkl", "faces-generator.safetensors"]
    facts = geoinv("weights", "info", "faces", "--json").json
    assert (facts["state"], facts["notes"]["licence"]) == ("here", "X Licence")
    generator, info = load_generator("faces")
    assert (generator.config.name, info.name) == ("faces", "faces")
    geoinv("edit", "--list", "--model", "faces").assert_fails(
        3, "no edit directions for faces", "geoinv train directions"
    )
    monkeypatch.setattr(fetching, "_download", None)
    assert geoinv("weights", "fetch", "faces", "--accept-licence").code == 0


def test_render_and_mesh_without_alpha(geoinv: Callable[..., Done], models: dict[str, Path]) -> None:
    """Faces before a background inside the volume, and cars on white, in another box with another lens."""
    for name, model in models.items():
        inversion = inversion_of(model, Path(f"{name}.geoinv"))
        render = ("render", inversion, "--model", model, "--out", name)
        done = geoinv(*render, "--views", "2", "--yaw", "30", "--depth", "--normals", "--gif", "--frames", "2")
        assert done.code == 0, done.err
        assert len(list(Path(name).iterdir())) == 7
        done = geoinv(
            "export-mesh", inversion, "--model", model, "--resolution", "16", "--out", f"{name}.ply", "--json"
        )
        assert done.code == 0, done.err
        assert done.json["is_watertight"] is True
    # a car may fill its box of 1.6 units, a head and shoulders are cut out of one unit
    assert max(done.json["size_mm"]) > 1.5 * 370.0
    geoinv("render", inversion).assert_fails(3, "made by generator", "--model")


def test_invert_without_an_encoder(geoinv: Callable[..., Done], models: dict[str, Path], woman: Path) -> None:
    invert = ("invert", woman, "--no-turntable", "--model")
    geoinv(*invert, models["ffhq512-128"]).assert_fails(3, "no encoder for model", "--method optimise")
    geoinv(*invert, models["shapenetcars128-64"]).assert_fails(2, "does not show people's faces")
    measure = ("eval", "--set", woman.parent, "--limit", "1", "--model")
    geoinv(*measure, models["ffhq512-128"]).assert_fails(3, "no encoder for model")
    geoinv(*invert, "gone.safetensors").assert_fails(3, "no weights of model 'gone.safetensors'")


def test_doctor_looks_at_fetched_models(
    geoinv: Callable[..., Done], index: Path, models: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "cache" / "weights"
    folder.mkdir(parents=True)
    shutil.copy(models["ffhq512-128"], folder / "faces-generator.safetensors")
    checks = {check["name"]: check for check in geoinv("doctor", "--model", "faces", "--json").json["checks"]}
    assert checks["faces-generator"]["state"] == "ok"
    assert checks["faces-encoder"]["state"] == "missing"
    assert "--method optimise" in checks["faces-encoder"]["cost"]


def test_without_an_index_nothing_is_said_to_be_verified(geoinv: Callable[..., Done], tiny_weights: Path) -> None:
    """A folder of weights of one's own need not have one: models in it work."""
    assert not (tiny_weights / "index.toml").exists()
    for command in (("list",), ("verify",), ("verify", "mini-encoder"), ("fetch", "ffhq512-128")):
        geoinv("weights", *command).assert_fails(3, "no index of weights", "index.toml")
