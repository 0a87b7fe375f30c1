"""--generator: the same code shown with a generator that was fine-tuned from the model."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from geoinv.checkpoints.store import load_generator, save_model, sha256_of
from geoinv.inversion import Inversion
from geoinv.models.generator import TriPlaneGenerator
from tests.tiny_models import tiny_config

from .conftest import Done


@pytest.fixture
def toon(tiny_weights: Path) -> Path:
    """The tiny model with other colours, as ``toon-generator.safetensors``."""
    generator, _ = load_generator(str(tiny_weights / "mini-generator.safetensors"))
    with torch.no_grad():
        generator.decoder.net[-1].bias[1:4] += torch.tensor([3.0, -3.0, 0.0])
    path = Path("toon-generator.safetensors")
    save_model(path, generator, replace(generator.config, name="toon"))
    return path


def pixels(path: str) -> np.ndarray:
    return np.asarray(Image.open(path).resize((64, 64))).astype(int)


def test_render(geoinv: Callable[..., Done], inverted: Path, toon: Path) -> None:
    own = geoinv("render", inverted, "--yaw", "20", "--json").json
    assert "generator" not in own
    done = geoinv(
        "render", inverted, "--yaw", "20", "--views", "2", "--gif", "--frames", "2", "--json", "--generator", toon
    )
    assert done.code == 0, done.err
    names = ["woman_toon_views.png", "woman_toon_yaw+20_pitch+0.png", "woman_toon_video.gif"]
    assert [Path(file).name for file in done.json["files"]] == names
    assert done.json["model"] == "mini"
    assert (done.json["generator"], done.json["generator_sha256"]) == ("toon", sha256_of(toon))
    assert np.abs(pixels(own["files"][0]) - pixels(done.json["files"][1])).max() > 20


def test_the_model_itself_changes_nothing(geoinv: Callable[..., Done], woman: Path) -> None:
    assert geoinv("invert", woman, "--method", "encoder", "--no-turntable", "--out", ".").code == 0
    own = geoinv("render", "woman.geoinv", "--yaw", "20", "--json").json["files"]
    same = geoinv("render", "woman.geoinv", "--yaw", "20", "--generator", "mini", "--json").json["files"]
    assert own != same and Path(own[0]).read_bytes() == Path(same[0]).read_bytes()


def test_details_of_the_photo_are_the_models_own(geoinv: Callable[..., Done], inverted: Path, toon: Path) -> None:
    """The local branch was not trained for another generator: its code alone is shown, and that is told."""
    loaded = Inversion.load(inverted)
    assert loaded.details is not None
    replace(loaded, details=None, method="encoder").save("plain.geoinv")
    detailed = geoinv("render", inverted, "--yaw", "20", "--generator", toon)
    assert "details are left out" in detailed.err
    plain = geoinv("render", "plain.geoinv", "--yaw", "20", "--generator", toon)
    assert "details" not in plain.err
    pictures = [f"outputs/{name}_toon_yaw+20_pitch+0.png" for name in ("woman", "plain")]
    assert Path(pictures[0]).read_bytes() == Path(pictures[1]).read_bytes()


def test_edit_saves_the_models_own_code(geoinv: Callable[..., Done], inverted: Path, toon: Path) -> None:
    done = geoinv("edit", inverted, "--attr", "smile", "--save", "--json", "--generator", toon)
    assert done.code == 0, done.err
    assert [Path(file).name for file in done.json["files"]] == ["woman_toon_smile.png", "woman_smile.geoinv"]
    saved, original = Inversion.load("outputs/woman_smile.geoinv"), Inversion.load(inverted)
    assert (saved.generator, saved.generator_sha256) == (original.generator, original.generator_sha256)
    geoinv("edit", inverted, "--attr", "smile", "--out", "own", "--save")
    assert torch.equal(saved.w_plus, Inversion.load("own/woman_smile.geoinv").w_plus)
    assert np.abs(pixels("own/woman_smile.png") - pixels("outputs/woman_toon_smile.png")).max() > 20
    bound = geoinv("edit", inverted, "--attr", "smile", "--keep-identity", "10", "--generator", toon, "--overwrite")
    assert bound.code == 0, bound.err


def test_export_mesh(geoinv: Callable[..., Done], inverted: Path, toon: Path) -> None:
    Path("outputs").mkdir()
    shutil.copy(inverted, "outputs")
    colors = []
    for options in ([], ["--generator", toon]):
        done = geoinv("export-mesh", "--resolution", "32", "--json", *options)
        assert done.code == 0, done.err
        colors.append(_mean_color(done.json["mesh"]))
    assert done.json["mesh"] == "outputs/woman_toon.ply" and done.json["generator"] == "toon"
    assert np.abs(colors[0] - colors[1]).max() > 20


def _mean_color(path: str) -> np.ndarray:
    import trimesh

    return np.asarray(trimesh.load(path).visual.vertex_colors)[:, :3].mean(axis=0)


def test_refuses_another_family(geoinv: Callable[..., Done], inverted: Path) -> None:
    config = replace(tiny_config(), decoder_hidden=24, neural_resolution=8)
    save_model(Path("other.safetensors"), TriPlaneGenerator(config), config)
    for command in (["render"], ["edit", "--attr", "smile"], ["export-mesh"]):
        done = geoinv(command[0], inverted, *command[1:], "--generator", "other.safetensors")
        done.assert_fails(3, "other.safetensors is not of the family of mini", "decoder_hidden, neural_resolution")
    geoinv("render", inverted, "--generator", "nowhere.safetensors").assert_fails(3, "nowhere.safetensors")
    Path("network.pkl").write_bytes(b"")
    geoinv("render", inverted, "--generator", "network.pkl").assert_fails(3, "weights convert")
    assert not Path("outputs").exists()


def test_refuses_a_tuned_inversion(geoinv: Callable[..., Done], inverted: Path, toon: Path) -> None:
    loaded = Inversion.load(inverted)
    tuned = replace(loaded, method="pti", tuning={"decoder.net.2.bias": torch.zeros(9, dtype=torch.float16)})
    tuned.save("tuned.geoinv")
    for command in (["render"], ["edit", "--attr", "smile"], ["export-mesh"]):
        done = geoinv(command[0], "tuned.geoinv", *command[1:], "--generator", toon)
        done.assert_fails(3, "woman.jpg tunes its own generator (pti)", "another --method")
    assert not Path("outputs").exists()


def test_refuses_an_inversion_of_the_other_generator(geoinv: Callable[..., Done], inverted: Path, toon: Path) -> None:
    """--generator shows codes of the model; which model made a code is still checked."""
    replace(Inversion.load(inverted), generator_sha256=sha256_of(toon)).save("foreign.geoinv")
    geoinv("render", "foreign.geoinv", "--generator", toon).assert_fails(3, "was made by generator")
