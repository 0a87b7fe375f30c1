"""``train all``: order of the stages, what a killed run repeats, what ends in the folder of weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from geoinv.checkpoints.store import load_generator, save_model, sha256_of
from geoinv.errors import UsageError
from geoinv.models.config import EncoderConfig, GeneratorConfig
from geoinv.models.encoder import GlobalEncoder
from geoinv.models.generator import TriPlaneGenerator
from geoinv.training import all_stages
from geoinv.training.all_stages import AllStages, train_all
from tests.tiny_models import tiny_config


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stages' names as they run, each replaced by one that writes untrained weights at once."""
    ran: list[str] = []

    def data(out: Path, heads: int, views: int, *rest: Any, twins: bool, **others: Any) -> Path:
        ran.append(f"{out.name} {heads} x {views}" + (" twins" if twins else ""))
        return out

    def generator(model: GeneratorConfig, config: Any, on_progress: Any) -> Path:
        ran.append(f"generator {config.minutes:.1f} from {config.start and config.start.name}")
        torch.manual_seed(0)
        save_model(config.out / "best.safetensors", TriPlaneGenerator(tiny_config()), tiny_config())
        return config.out / "best.safetensors"  # type: ignore[no-any-return]

    def superresolution(config: Any, on_progress: Any) -> Path:
        ran.append("superresolution")
        model, info = load_generator(config.generator)
        extra = {"superresolution": {"base_sha256": info.sha256}}
        save_model(config.out / "best.safetensors", model, model.config, extra)
        return config.out / "best.safetensors"  # type: ignore[no-any-return]

    def encoder(config: Any, on_progress: Any) -> Path:
        ran.append(f"encoder {config.minutes:.1f} from {config.start and config.start.name}")
        small = EncoderConfig("tiny", tiny_config().num_ws, tiny_config().w_dim, (8, 8, 8), (1, 1, 1), 16)
        extra = {"generator_sha256": sha256_of(Path(config.generator))}
        save_model(config.out / "best.safetensors", GlobalEncoder(small), small, extra)
        return config.out / "best.safetensors"  # type: ignore[no-any-return]

    monkeypatch.setattr(all_stages, "make_dataset", data)
    monkeypatch.setattr(all_stages, "train_generator", generator)
    monkeypatch.setattr(all_stages, "train_superresolution", superresolution)
    monkeypatch.setattr(all_stages, "train_encoder", encoder)
    monkeypatch.setattr(all_stages, "discover_directions", lambda *_, **__: type("Found", (), {"names": ["smile"]}))
    monkeypatch.setattr(all_stages, "visible_directions", lambda generator, found, seed: found)
    monkeypatch.setattr(all_stages, "save_directions", lambda path, found: path.write_bytes(b"directions"))
    monkeypatch.setattr(all_stages, "build_held_out", lambda path, assets: path.write_bytes(b"heads"))
    monkeypatch.setattr(all_stages, "load_held_out", lambda path: None)
    monkeypatch.setattr(all_stages, "evaluate_heads", lambda *_: {"heads": 48, "input_psnr_db": 18.0})
    return ran


def test_stages_follow_one_another_and_ship(stages: list[str], tmp_path: Path) -> None:
    weights = train_all(AllStages(tmp_path, hours=2.0))
    assert stages == [
        "check 60 x 2 twins",
        "large 240 x 2",
        "heads 18000 x 3 twins",
        "generator 57.6 from None",
        "superresolution",
        "encoder 36.0 from None",
    ]
    names = ["figures.json", "heldout-heads.safetensors"]
    names += [f"mini-{kind}.safetensors" for kind in ("directions", "encoder", "generator")]
    assert sorted(path.name for path in weights.iterdir()) == names
    assert json.loads((weights / "figures.json").read_text())["input_psnr_db"] == 18.0


def test_a_finished_superresolution_is_not_made_again(stages: list[str], tmp_path: Path) -> None:
    train_all(AllStages(tmp_path, hours=2.0))
    train_all(AllStages(tmp_path, hours=2.0))  # the other stages see themselves that they are done
    assert stages.count("superresolution") == 1


def test_goes_on_from_earlier_weights(stages: list[str], tmp_path: Path) -> None:
    weights = train_all(AllStages(tmp_path / "first", hours=1.0))
    stages.clear()
    train_all(AllStages(tmp_path / "second", hours=1.0, start=weights))
    assert "generator 28.8 from mini-generator.safetensors" in stages
    assert "encoder 18.0 from mini-encoder.safetensors" in stages
    with pytest.raises(UsageError, match="has no mini-generator"):
        train_all(AllStages(tmp_path / "third", hours=1.0, start=tmp_path))


def test_too_short_is_refused(stages: list[str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too short"):
        train_all(AllStages(tmp_path, hours=0.001))
    assert not stages
