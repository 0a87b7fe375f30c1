"""``train all``: order of the stages, what a killed run repeats, what ends in the folder of weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from geoinv.checkpoints.store import load_generator, save_model, sha256_of
from geoinv.editing import Directions
from geoinv.errors import UsageError
from geoinv.files import only_one_process
from geoinv.models.config import EncoderConfig, GeneratorConfig
from geoinv.models.encoder import GlobalEncoder
from geoinv.models.generator import TriPlaneGenerator
from geoinv.training.stages import all_stages
from geoinv.training.stages.all_stages import STAGES, AllStages, train_all
from tests.tiny_models import tiny_config, tiny_details


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stages' names as they run, each replaced by one that writes untrained weights at once."""
    ran: list[str] = []

    def data(out: Path, heads: int, views: int, resolution: int, *rest: Any, twins: bool, **others: Any) -> Path:
        ran.append(f"{out.name} {heads} x {views} at {resolution}" + (" twins" if twins else ""))
        return out

    def generator(model: GeneratorConfig, config: Any, on_progress: Any) -> Path:
        ran.append(f"generator {config.minutes:.1f} from {config.start and config.start.name}")
        torch.manual_seed(0)
        save_model(config.out / "best.safetensors", TriPlaneGenerator(tiny_config()), tiny_config())
        return config.out / "best.safetensors"  # type: ignore[no-any-return]

    def superresolution(config: Any, on_progress: Any) -> Path:
        ran.append(f"superresolution {config.minutes:.1f}")
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

    def local(config: Any, on_progress: Any) -> Path:
        ran.append(f"local {config.minutes:.1f} from {config.start and config.start.name}")
        branch = tiny_details()
        save_model(
            config.out / "best.safetensors", branch, branch.config, {"generator_sha256": sha256_of(Path(config.model))}
        )
        return config.out / "best.safetensors"  # type: ignore[no-any-return]

    monkeypatch.setattr(all_stages, "make_dataset", data)
    monkeypatch.setattr(all_stages, "train_generator", generator)
    monkeypatch.setattr(all_stages, "train_superresolution", superresolution)
    monkeypatch.setattr(all_stages, "train_encoder", encoder)
    monkeypatch.setattr(all_stages, "train_local", local)

    def directions(*_: Any, generator_sha256: str, **__: Any) -> Directions:
        ran.append("directions")
        return Directions({"smile": torch.ones(4, 16)}, {"smile": "a smile"}, generator_sha256)

    def evaluate(generator: Any, encoder: Any, held_out: Any, branch: Any) -> dict[str, float]:
        ran.append("figures of " + ("all" if branch else "both" if encoder else "the generator"))
        return {"heads": 48, "input_psnr_db": 19.0 if branch else 18.0}

    monkeypatch.setattr(all_stages, "discover_directions", directions)
    monkeypatch.setattr(all_stages, "visible_directions", lambda generator, found, seed: found)
    monkeypatch.setattr(all_stages, "build_held_out", lambda path, heads, assets: path.write_bytes(b"heads"))
    monkeypatch.setattr(all_stages, "load_held_out", lambda path: None)
    monkeypatch.setattr(all_stages, "evaluate_heads", evaluate)
    return ran


def test_stages_follow_one_another_and_ship(stages: list[str], tmp_path: Path) -> None:
    weights = train_all(AllStages(tmp_path, hours=2.0))
    assert stages == [
        "check 60 x 2 at 128 twins",
        "large-check 40 x 2 at 256 twins",
        "large 5000 x 3 at 256 twins",
        "heads 14000 x 3 at 128 twins",
        "generator 56.4 from None",
        "figures of the generator",
        "superresolution 2.4",
        "encoder 31.2 from None",
        "figures of both",
        "local 9.6 from None",
        "figures of all",
        "directions",
    ]
    names = ["figures.json", "heldout-heads.safetensors"]
    names += [f"mini-{kind}.safetensors" for kind in ("details", "directions", "encoder", "generator")]
    assert sorted(path.name for path in weights.iterdir()) == names
    assert json.loads((weights / "figures.json").read_text())["input_psnr_db"] == 19.0


def test_shares_leave_room_for_heads_and_figures() -> None:
    assert 0.7 < sum(stage.share for stage in STAGES) < 0.84


def test_says_what_each_stage_took(stages: list[str], tmp_path: Path) -> None:
    (tmp_path / "generator").mkdir()
    (tmp_path / "generator" / "log.jsonl").write_text('{"step": 600, "minutes": 5.0, "color": 0.1}\n')
    told: list[str] = []
    train_all(AllStages(tmp_path, hours=2.0), told.append)
    assert "generator: done; 600 steps in 5.0 minutes, 0.500 s a step; 0.0 minutes in this run" in told
    assert [line.split(":")[0] for line in told if ": done" in line] == [stage.name for stage in STAGES]


def test_what_is_finished_is_not_made_again(stages: list[str], tmp_path: Path) -> None:
    train_all(AllStages(tmp_path, hours=2.0))
    train_all(AllStages(tmp_path, hours=2.0))  # the trained stages see themselves that they are done
    for name in ("figures of the generator", "figures of both", "figures of all", "directions"):
        assert stages.count(name) == 1


def test_two_runs_in_one_folder_are_refused(stages: list[str], tmp_path: Path) -> None:
    with only_one_process(tmp_path), pytest.raises(UsageError, match="another run is at work"):
        train_all(AllStages(tmp_path, hours=2.0))
    assert not stages


def test_a_stage_starts_over_when_what_it_builds_on_has_changed(stages: list[str], tmp_path: Path) -> None:
    weights = train_all(AllStages(tmp_path, hours=2.0))
    torch.save({"base": "0" * 64}, tmp_path / "encoder" / "state.pt")
    stages.clear()
    train_all(AllStages(tmp_path, hours=2.0))
    assert "encoder 31.2 from earlier.safetensors" in stages
    assert not (tmp_path / "encoder" / "state.pt").exists()
    torch.save({"base": sha256_of(weights / "mini-generator.safetensors")}, tmp_path / "encoder" / "state.pt")
    train_all(AllStages(tmp_path, hours=2.0))
    assert (tmp_path / "encoder" / "state.pt").exists()


def test_goes_on_from_earlier_weights(stages: list[str], tmp_path: Path) -> None:
    weights = train_all(AllStages(tmp_path / "first", hours=1.0))
    stages.clear()
    train_all(AllStages(tmp_path / "second", hours=1.0, start=weights))
    assert "generator 28.2 from mini-generator.safetensors" in stages
    assert "encoder 15.6 from mini-encoder.safetensors" in stages
    assert "local 4.8 from mini-details.safetensors" in stages
    with pytest.raises(UsageError, match="has no mini-generator"):
        train_all(AllStages(tmp_path / "third", hours=1.0, start=tmp_path))


def test_too_short_is_refused(stages: list[str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too short"):
        train_all(AllStages(tmp_path, hours=0.001))
    assert not stages
