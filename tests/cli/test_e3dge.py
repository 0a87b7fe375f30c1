"""E3DGE's files on the command line: converted, then photos inverted, shown, edited, toonified and meshed with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from geoinv.checkpoints.e3dge_convert import convert_e3dge
from geoinv.images import read_image
from geoinv.inversion import Inversion
from tests.checkpoints.official_e3dge import write_files
from tests.golden.e3dge_networks import official_weights

from .conftest import Done

PHOTO = Path(__file__).parents[2] / "examples" / "woman.jpg"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_files(tmp_path_factory.mktemp("official"))


@pytest.fixture(scope="module")
def model(sources: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return convert_e3dge(sources, tmp_path_factory.mktemp("model") / "e3dge.safetensors").paths[0]


@pytest.fixture(scope="module")
def inverted(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The photo's inversion by the random model."""
    import geoinv

    path = tmp_path_factory.mktemp("inverted") / "woman.geoinv"
    return geoinv.load(str(model), "cpu").invert(PHOTO).save(path)


def boundaries(folder: Path) -> Path:
    random = np.random.default_rng(0)
    for space, size in (("renderer", 32), ("decoder", 64)):
        for name in ("Smiling", "No_Beard"):
            vector = random.normal(size=(1, size)).astype(np.float32)
            (folder / f"{space}_{name}").mkdir(parents=True)
            np.save(folder / f"{space}_{name}" / "boundary.npy", vector / np.linalg.norm(vector))
    return folder


def test_convert(geoinv: Callable[..., Done], sources: list[Path]) -> None:
    done = geoinv("weights", "convert", *sources, "e3dge.safetensors", "--json")
    assert done.code == 0, done.err
    names = ["e3dge.safetensors", "e3dge-encoder.safetensors", "e3dge-details.safetensors"]
    assert [Path(file).name for file in done.json["files"]] == names
    assert (done.json["resolution"], done.json["ray_grid"]) == (256, 64)
    assert done.json["left_out"]["E3DGE_Full_Runner.pt"] == ["discriminator", "iter", "optimizer_e_optimizer"]
    facts = geoinv("weights", "info", "e3dge.safetensors", "--json").json
    assert (facts["crop"], facts["encoder"], facts["attributes"]) == ("ffhq", True, [])
    geoinv("weights", "convert", *sources, "e3dge.safetensors").assert_fails(2, "exists", "--overwrite")
    geoinv("weights", "convert", *sources[1:], "x.safetensors").assert_fails(3, "no generator is among the files")


def test_convert_to_a_name(
    geoinv: Callable[..., Done], sources: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEOINV_CACHE", str(tmp_path / "cache"))
    assert geoinv("weights", "convert", *sources, "e3dge").code == 0
    assert geoinv("weights", "info", "e3dge", "--json").json["crop"] == "ffhq"
    done = geoinv("weights", "directions", boundaries(tmp_path / "b"), "--model", "e3dge", "--json")
    assert done.code == 0, done.err
    assert geoinv("edit", "--list", "--model", "e3dge", "--json").json["attributes"] == {
        "no-beard": "no beard; negative lets one grow",
        "smiling": "a smile",
    }


def test_invert(geoinv: Callable[..., Done], model: Path) -> None:
    done = geoinv("invert", PHOTO, "--model", model, "--no-turntable", "--json")
    assert done.code == 0, done.err
    assert done.json["method"] == "hybrid" and done.json["head_share"] == 1.0
    inversion = Inversion.load("outputs/woman.geoinv")
    assert inversion.w_plus.shape == (1, 9 + 6 * 2, 32) and inversion.details is not None
    eyes = np.array([0.37, 0.47, 0.63, 0.47])  # where FFHQ has them, of the side
    import geoinv as library

    aligned = library.load(str(model), "cpu").align(PHOTO)
    np.testing.assert_allclose(aligned.landmarks5[:2].reshape(-1) / 512.0, eyes, atol=0.02)
    np.testing.assert_array_equal(read_image(Path("outputs/woman_aligned.png")), aligned.image)


def test_methods_of_tri_planes_are_refused(geoinv: Callable[..., Done], model: Path) -> None:
    done = geoinv("invert", PHOTO, "--model", model, "--method", "pti", "--no-turntable")
    done.assert_fails(2, "is not of the tri-plane family", "--method hybrid or encoder")


def test_avatars_are_refused(geoinv: Callable[..., Done], model: Path, inverted: Path) -> None:
    done = geoinv("export-avatar", inverted, "--model", model, "--out", "a.glb")
    done.assert_fails(2, "of another scale than the head mesh", "geoinv export-mesh")


def test_missing_model_says_how_to_get_it(geoinv: Callable[..., Done], inverted: Path) -> None:
    done = geoinv("render", inverted, "--model", "e3dge")
    done.assert_fails(3, "the weights of model 'e3dge' are not here", "geoinv weights convert ffhq1024x1024.pt")


def test_render_edit_and_toonify(
    geoinv: Callable[..., Done], model: Path, inverted: Path, sources: list[Path], tmp_path: Path
) -> None:
    done = geoinv("render", inverted, "--model", model, "--json")
    assert done.code == 0, done.err
    done = geoinv("weights", "directions", boundaries(tmp_path / "b"), "--model", model, "--overwrite")
    assert done.code == 0, done.err
    done = geoinv("edit", inverted, "--model", model, "--attr", "smiling=0.5", "--views", "1", "--save", "--json")
    assert done.code == 0, done.err
    edited = Inversion.load(f"outputs/{inverted.stem}_smiling+0.5.geoinv")
    smiling = np.load(tmp_path / "b" / "renderer_Smiling" / "boundary.npy")
    moved = (edited.w_plus - Inversion.load(inverted).w_plus)[0, :9].numpy()
    np.testing.assert_allclose(moved, np.repeat(0.5 * smiling, 9, axis=0), atol=1e-5)

    toon = {"g_ema": {n: v * 1.1 if v.ndim == 5 else v for n, v in official_weights()["g_ema"].items()}}
    convert_e3dge(write_files(tmp_path, toon), tmp_path / "toon.safetensors")
    done = geoinv("render", inverted, "--model", model, "--generator", tmp_path / "toon.safetensors", "--json")
    assert done.code == 0, done.err
    assert done.json["generator"] == "toon" and "details are left out" in " ".join(done.json["warnings"])


def test_export_mesh(geoinv: Callable[..., Done], model: Path, inverted: Path, tmp_path: Path) -> None:
    """Of the mean head: what a random encoder makes of a photo has no surface."""
    inversion = Inversion.load(inverted)
    mean = inversion.edited(torch.zeros_like(inversion.w_plus), {}).save(tmp_path / "mean.geoinv")
    done = geoinv("export-mesh", mean, "--model", model, "--resolution", "32", "--out", "mean.ply", "--json")
    assert done.code == 0, done.err
    import trimesh

    mesh = trimesh.load("mean.ply")
    assert mesh.is_watertight and 100.0 < mesh.extents.max() < 288.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"renderer_Smiling": np.zeros((1, 31), np.float32)}, "no vector of 32 numbers"),
        ({"decoder_Smiling": np.full((1, 64), np.nan, np.float32)}, "is not finite"),
        ({"decoder_Smiling": np.array([{"a": 1}], dtype=object)}, "cannot read"),
        ({"decoder_Smiling": None}, "cannot read"),
    ],
)
def test_directions_that_do_not_fit(
    geoinv: Callable[..., Done], model: Path, tmp_path: Path, change: dict[str, np.ndarray | None], message: str
) -> None:
    folder = boundaries(tmp_path / "b")
    for name, value in change.items():
        path = folder / name / "boundary.npy"
        path.unlink()
        if value is not None:
            np.save(path, value, allow_pickle=True)
    out = model.with_name("e3dge-directions.safetensors")
    before = out.read_bytes() if out.exists() else None
    geoinv("weights", "directions", folder, "--model", model, "--overwrite").assert_fails(3, message)
    assert (out.read_bytes() if out.exists() else None) == before


def test_directions_of_another_family(geoinv: Callable[..., Done], tmp_path: Path) -> None:
    done = geoinv("weights", "directions", boundaries(tmp_path / "b"), "--model", "mini", "--overwrite")
    done.assert_fails(3, "is not of E3DGE's family")
