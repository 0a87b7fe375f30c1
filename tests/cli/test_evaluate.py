"""geoinv eval on photos and on a file of held-out heads."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from geoinv.checkpoints.store import load_encoder_file, save_model
from geoinv.evaluation.held_out import save_held_out
from tests.evaluation.ellipsoid_heads import ellipsoid_heads

from .conftest import EXAMPLES, Done


def test_photos(geoinv: Callable[..., Done]) -> None:
    Path("in").mkdir()
    shutil.copy(EXAMPLES / "man.jpg", "in")
    Path("in/broken.jpg").write_bytes(b"not a picture")
    done = geoinv("eval", "--set", "in", "--json")
    assert done.code == 0
    assert (done.json["photos"], done.json["skipped"]) == (1, 1)
    assert {"input_psnr_db", "identity_input", "identity_novel", "identity_smile", "model"} <= set(done.json)
    assert "broken.jpg" in done.err
    assert "identity distance" in geoinv("eval", "--set", "in").out


def test_methods_side_by_side(geoinv: Callable[..., Done]) -> None:
    Path("in").mkdir()
    shutil.copy(EXAMPLES / "man.jpg", "in")
    done = geoinv("eval", "--set", "in", "--method", "optimise", "--steps", "2", "--json")
    assert done.code == 0, done.err
    for column in ("encoder", "optimise"):
        assert {"face_psnr_db", "head_psnr_db", "identity_input", "identity_novel"} <= set(done.json[column])
    assert "face_gain_db" in done.json["optimise"]
    text = geoinv("eval", "--set", "in", "--method", "pti", "--steps", "2").out
    assert text.splitlines()[0].split() == ["encoder", "pti"] and "median gain over the face" in text
    geoinv("eval", "--set", "in", "--steps", "2").assert_fails(2, "--steps goes with --method")


def test_refuses(geoinv: Callable[..., Done]) -> None:
    geoinv("eval", "--set", "nowhere").assert_fails(5, "--set nowhere: no such folder or photo")
    Path("empty").mkdir()
    geoinv("eval", "--set", "empty").assert_fails(5, "no photos in empty")
    geoinv("eval").assert_fails(3, "held-out heads")


@pytest.fixture
def weights_with_heads(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny weights with two held-out heads."""
    folder = Path("weights").absolute()
    shutil.copytree(tiny_weights, folder)
    save_held_out(folder / "heldout-heads.safetensors", ellipsoid_heads(2))
    monkeypatch.setenv("GEOINV_WEIGHTS", str(folder))
    return folder


def test_heads(geoinv: Callable[..., Done], weights_with_heads: Path) -> None:
    figures = geoinv("eval", "--limit", "1", "--json").json
    assert {"input_psnr_db", "novel_psnr_db", "psnr_db_15", "psnr_db_30", "psnr_db_45"} <= set(figures)
    assert {"identity_input", "identity_novel", "inversion_seconds", "seconds"} <= set(figures)
    assert figures["psnr_db_30"] == figures["novel_psnr_db"] and figures["method"] == "hybrid"
    plain = geoinv("eval", "--limit", "1", "--method", "encoder", "--json").json
    assert plain["method"] == "encoder" and plain["input_psnr_db"] != figures["input_psnr_db"]
    rows = geoinv("eval", "--ablation", "--limit", "1", "--json").json["rows"]
    assert [rows[0]["psnr_db_45"], rows[-1]["psnr_db_45"]] == [plain["psnr_db_45"], figures["psnr_db_45"]]


def test_generator_only(geoinv: Callable[..., Done], weights_with_heads: Path) -> None:
    (weights_with_heads / "mini-encoder.safetensors").unlink()
    figures = geoinv("eval", "--generator-only", "--limit", "1", "--json").json
    names = {f"generator_{name}" for name in ("psnr_db", "256_psnr_db_to_60", "256_psnr_db_behind", "sharpness")}
    assert names <= set(figures) and figures["heads"] == 1 and "input_psnr_db" not in figures
    done = geoinv("eval", "--generator-only", "--limit", "1", "--sheet", "sheet.png")
    assert "fraction of expressions" in done.out and Path("sheet.png").is_file()
    geoinv("eval", "--generator-only", "--sheet", "sheet.png").assert_fails(2, "sheet.png exists", "--overwrite")
    geoinv("eval", "--generator-only", "--method", "encoder").assert_fails(2, "does not go with --method")
    geoinv("eval", "--sheet", "other.png").assert_fails(2, "--sheet goes with --generator-only")
    save_held_out(weights_with_heads / "heldout-heads.safetensors", ellipsoid_heads(1, z_dim=5))
    geoinv("eval", "--generator-only").assert_fails(2, "described by 5 numbers, and the generator takes 8")


def test_ablation(geoinv: Callable[..., Done], weights_with_heads: Path) -> None:
    done = geoinv("eval", "--ablation", "--limit", "1", "--json")
    assert done.code == 0, done.err
    names = [row["variant"] for row in done.json["rows"]]
    assert names == ["E0", "E0 + E1, 3D-aligned", "E0 + E1, 2D-aligned", "E0 + E1, hybrid"]
    assert len({row["input_psnr_db"] for row in done.json["rows"]}) == 4 and done.json["heads"] == 1
    assert len({row["depth_mm"] for row in done.json["rows"]}) == 1  # the shape is the code's
    left_out = done.json["left_out"]
    assert [row["variant"] for row in left_out] == ["E0 without geometry losses"]
    assert "mini-encoder-nogeometry.safetensors" in left_out[0]["reason"]
    text = geoinv("eval", "--ablation").out
    assert "2 held-out heads" in text and "left out: E0 without geometry losses" in text
    assert len([line for line in text.splitlines() if line.strip().startswith("E0 ")]) == 4
    (weights_with_heads / "mini-details.safetensors").unlink()
    alone = geoinv("eval", "--ablation", "--limit", "1", "--json").json
    assert alone["rows"][0]["psnr_db_45"] == done.json["rows"][0]["psnr_db_45"] and len(alone["rows"]) == 1
    assert [row["variant"] for row in alone["left_out"]] == ["E0 without geometry losses", *names[1:]]
    assert "mini-details.safetensors" in alone["left_out"][1]["reason"]


def test_ablation_without_geometry_losses(geoinv: Callable[..., Done], weights_with_heads: Path) -> None:
    encoder, info = load_encoder_file(weights_with_heads / "mini-encoder.safetensors")
    with torch.no_grad():
        encoder.codes.bias.add_(1.0)
    save_model(Path("other.safetensors"), encoder, encoder.config, info.extra)
    rows = geoinv("eval", "--ablation", "--no-geometry", "other.safetensors", "--json").json["rows"]
    assert [row["variant"] for row in rows][:2] == ["E0", "E0 without geometry losses"]
    assert rows[0]["input_psnr_db"] != rows[1]["input_psnr_db"]
    shutil.copy("other.safetensors", weights_with_heads / "mini-encoder-nogeometry.safetensors")
    again = geoinv("eval", "--ablation", "--json").json
    assert again["left_out"] == [] and again["rows"][1]["input_psnr_db"] == rows[1]["input_psnr_db"]
    save_model(Path("foreign.safetensors"), encoder, encoder.config, {"generator_sha256": "0" * 64})
    geoinv("eval", "--ablation", "--no-geometry", "foreign.safetensors").assert_fails(3, "foreign.safetensors")
    geoinv("eval", "--ablation", "--no-geometry", "nowhere.safetensors").assert_fails(3, "nowhere.safetensors")


def test_ablation_is_on_heads_alone(geoinv: Callable[..., Done]) -> None:
    geoinv("eval", "--ablation", "--set", "in").assert_fails(2, "--ablation")
    geoinv("eval", "--ablation", "--method", "pti").assert_fails(2, "--ablation")
    geoinv("eval", "--no-geometry", "x.safetensors").assert_fails(2, "--no-geometry")


def test_several_photos_of_a_person_want_a_folder_for_each(geoinv: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "persons" / "anna").mkdir(parents=True)
    shutil.copy(EXAMPLES / "woman.jpg", tmp_path / "persons" / "anna")
    geoinv("eval", "--same-person", "--method", "pti").assert_fails(2, "--same-person does not go with --method")
    geoinv("eval", "--same-person", "--set", "persons/anna").assert_fails(5, "no folders in it", "of their own")
    geoinv("eval", "--same-person", "--set", "persons").assert_fails(2, "kept-back", "compared with the others")
