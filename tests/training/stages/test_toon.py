"""Training of toons: it learns, only what paints changes, and the file holds no more than that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from geoinv.checkpoints.store import load_generator, save_model
from geoinv.errors import UsageError
from geoinv.models.generator import TriPlaneGenerator
from geoinv.training.engine.loop import train
from geoinv.training.engine.run import Run, Steps
from geoinv.training.stages.toon import ToonSettings, ToonStage
from tests.tiny_models import tiny_config


@pytest.fixture
def model(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    generator = TriPlaneGenerator(tiny_config())
    with torch.no_grad():
        generator.decoder.net[-1].bias[0] = 60.0
    path = tmp_path / "box-generator.safetensors"
    save_model(path, generator, generator.config)
    return path


def stage_of(model: Path, out: Path, steps: int = 6) -> ToonStage:
    settings = ToonSettings(heads_per_step=2, rays_per_view=40, held_out=2)
    return ToonStage(Run(out, Steps(steps, 3, 3, 2), 1e-2), model=str(model), settings=settings)


def test_it_learns_and_changes_what_paints_alone(model: Path, tmp_path: Path) -> None:
    path = train(stage_of(model, tmp_path / "run", 30))
    (tmp_path / "toon-generator.safetensors").write_bytes(path.read_bytes())  # beside the generator that it changes
    toon, info = load_generator(str(tmp_path / "toon-generator.safetensors"))
    training = info.extra["training"]
    assert training["heldout_psnr_db"] > training["untrained_psnr_db"] + 1.0
    before = load_generator(str(model))[0].state_dict()
    changed = {name for name, value in toon.state_dict().items() if not torch.equal(value, before[name])}
    with safe_open(path, framework="pt") as file:
        assert changed and changed <= set(file.keys())
    starts = ("decoder.", "backbone.synthesis.b8.", "backbone.synthesis.warp.mean")
    assert all(name.startswith(starts) for name in changed)
    assert "backbone.synthesis.warp.mean" in changed
    assert list((tmp_path / "run").glob("samples_*.png"))


def test_a_toon_is_the_same_for_a_seed(model: Path, tmp_path: Path) -> None:
    first, second = (train(stage_of(model, tmp_path / name)).read_bytes() for name in "ab")
    assert first == second


def test_refuses_a_generator_without_a_warp(tmp_path: Path) -> None:
    config = tiny_config()
    flat = replace(config, backbone=replace(config.backbone, warp_rank=0))
    save_model(tmp_path / "flat.safetensors", TriPlaneGenerator(flat), flat)
    with pytest.raises(UsageError, match="does not know where the eyes of its heads are"):
        stage_of(tmp_path / "flat.safetensors", tmp_path / "run")
