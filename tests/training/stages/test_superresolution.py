"""Training of super-resolution: only the module changes, data at another resolution are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from geoinv.checkpoints.store import load_generator, save_model
from geoinv.errors import UsageError
from geoinv.models.config import mini
from geoinv.models.generator import TriPlaneGenerator
from geoinv.training.stages.superresolution import SuperresolutionTraining, train_superresolution
from tests.tiny_models import tiny_config


def test_only_the_module_changes(discs: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "disc-generator.safetensors"
    save_model(path, TriPlaneGenerator(tiny_config()), tiny_config(), {"training": {"steps": 1}})
    settings = SuperresolutionTraining(
        data=discs, out=tmp_path / "run", minutes=0.03, generator=str(path), patches_per_step=2, patch=8
    )
    after, info = load_generator(str(train_superresolution(settings)))
    assert info.extra["training"] == {"steps": 1}
    assert info.extra["superresolution"]["steps"] > 0
    before = load_generator(str(path))[0].state_dict()
    changed = {name for name, value in after.state_dict().items() if not torch.equal(value, before[name])}
    assert changed and all(name.startswith("superresolution.") for name in changed)
    assert list((tmp_path / "run").glob("samples_*.png"))
    assert load_generator(str(train_superresolution(settings)))[1].sha256 == info.sha256  # it is done


def test_data_must_be_at_the_final_resolution(discs: Path, tmp_path: Path) -> None:
    path = tmp_path / "other-generator.safetensors"
    save_model(path, TriPlaneGenerator(mini(8)), mini(8))
    settings = SuperresolutionTraining(data=discs, out=tmp_path / "run", minutes=0.01, generator=str(path))
    with pytest.raises(UsageError, match="heads are at 32 px"):
        train_superresolution(settings)
