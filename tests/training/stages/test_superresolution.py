"""Training of super-resolution: only the module changes, data at another resolution are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from geoinv.checkpoints.store import load_generator, save_model
from geoinv.errors import UsageError
from geoinv.models.generator import TriPlaneGenerator
from geoinv.models.presets import mini
from geoinv.training.engine.loop import train
from geoinv.training.engine.run import Run, Steps
from geoinv.training.stages.superresolution import SuperresolutionSettings, SuperresolutionStage
from tests.tiny_models import tiny_config


def stage_of(discs: Path, out: Path, generator: Path) -> SuperresolutionStage:
    return SuperresolutionStage(
        Run(out, Steps(5, look_every=3, checkpoint_every=3, log_every=2), 1e-3),
        data=discs,
        model=str(generator),
        settings=SuperresolutionSettings(patches_per_step=2, patch_side=8),
    )


def test_only_the_module_changes(discs: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "disc-generator.safetensors"
    save_model(path, TriPlaneGenerator(tiny_config()), tiny_config(), {"training": {"steps": 1}})
    after, info = load_generator(str(train(stage_of(discs, tmp_path / "run", path))))
    assert info.extra["training"] == {"steps": 1}
    assert info.extra["superresolution"]["steps"] in (3, 5)
    assert info.extra["superresolution"]["run"]["stage"] == "superresolution"
    before = load_generator(str(path))[0].state_dict()
    changed = {name for name, value in after.state_dict().items() if not torch.equal(value, before[name])}
    assert changed and all(name.startswith("superresolution.") for name in changed)
    assert list((tmp_path / "run").glob("samples_*.png"))
    assert load_generator(str(train(stage_of(discs, tmp_path / "run", path))))[1].sha256 == info.sha256  # it is done


def test_data_must_be_at_the_final_resolution(discs: Path, tmp_path: Path) -> None:
    path = tmp_path / "other-generator.safetensors"
    save_model(path, TriPlaneGenerator(mini(8)), mini(8))
    with pytest.raises(UsageError, match="heads are at 32 px"):
        stage_of(discs, tmp_path / "run", path)
