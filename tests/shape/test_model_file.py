"""The file of the head model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from geoinv.errors import CheckpointError
from geoinv.folders import weights_dir
from geoinv.shape import load_head_model, save_head_model

from .tiny_head import tiny_head


def test_round_trip(tmp_path: Path) -> None:
    model, path = tiny_head(), tmp_path / "head.safetensors"
    save_head_model(path, model, {"error_median_mm": 0.03})
    loaded = load_head_model(path)
    for name, value in model.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name
    assert loaded.parts == model.parts
    assert torch.equal(loaded.landmarks468.weights, model.landmarks468.weights)
    assert torch.equal(loaded.teeth.anchors, model.teeth.anchors)
    assert torch.equal(loaded.teeth.offsets, model.teeth.offsets)
    assert torch.equal(loaded.detector_habits.deviation, model.detector_habits.deviation)


def test_same_model_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_head_model(tmp_path / name, tiny_head(), {"seed": 0, "heads": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_shipped_file_is_small() -> None:
    assert (weights_dir() / "head-model.safetensors").stat().st_size < 8_000_000


def test_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no head model") as caught:
        load_head_model(tmp_path / "none.safetensors")
    assert "synth shape-model" in (caught.value.hint or "")


def test_foreign_and_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    save_file({"mean": torch.zeros(4, 3)}, path)
    with pytest.raises(CheckpointError, match="holds no head model"):
        load_head_model(path)
    save_head_model(path, tiny_head(), {})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="damaged"):
        load_head_model(path)


@pytest.mark.parametrize("name", ["corner_vertices", "landmarks468.triangles", "teeth.anchors", "mean"])
def test_values_out_of_range_are_damage(name: str, tmp_path: Path) -> None:
    from safetensors import safe_open

    path = tmp_path / "head.safetensors"
    save_head_model(path, tiny_head(), {})
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    tensors[name].view(-1)[0] = 10_000 if tensors[name].dtype == torch.int32 else float("nan")
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(CheckpointError, match=name):
        load_head_model(path)
