"""Packed models: half the space, read as any other, and still belonging together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from geoinv.checkpoints.model_format import read_header
from geoinv.checkpoints.pack import pack_model
from geoinv.checkpoints.store import load_details, load_encoder, load_generator
from geoinv.errors import CheckpointError, UsageError
from tests.tiny_models import write_tiny_weights


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The tiny generator's file, with encoder and details beside it."""
    return write_tiny_weights(tmp_path / "weights") / "mini-generator.safetensors"


def test_packed_parts_belong_together(model: Path) -> None:
    before = load_encoder(str(model))[0].state_dict()
    size = (model.parent / "mini-encoder.safetensors").stat().st_size
    details = load_details(str(model))[0].state_dict()
    written = pack_model(str(model), model.parent, ["encoder"])
    assert [path.name for path in written] == ["mini-encoder.safetensors", "mini-details.safetensors"]
    assert written[0].stat().st_size < 0.9 * size  # most of its tensors are small
    assert read_header(written[0])["format"] == "geoinv-model-2"
    after = load_encoder(str(model))[0].state_dict()
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert changed and before.keys() == after.keys()
    for name in changed:
        assert (after[name] - before[name]).norm() < 0.01 * before[name].norm(), name
    assert read_header(written[1])["format"] == "geoinv-model-1"
    kept = load_details(str(model))[0].state_dict()  # it names the packed encoder
    assert all(torch.equal(kept[name], details[name]) for name in details)


def test_whole_model(model: Path, tmp_path: Path) -> None:
    pack_model(str(model), tmp_path / "small", ["details", "generator", "encoder"])
    small = str(tmp_path / "small" / model.name)
    before, after = (load_generator(name)[0].state_dict() for name in (str(model), small))
    assert before.keys() == after.keys()
    load_encoder(small)
    load_details(small)


def test_rejects_other_parts(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot pack nothing"):
        pack_model(str(model), tmp_path / "small", [])
    with pytest.raises(UsageError, match="cannot pack encoder, toon"):
        pack_model(str(model), tmp_path / "small", ["encoder", "toon"])


def test_damaged_steps_are_an_error(model: Path, tmp_path: Path) -> None:
    pack_model(str(model), tmp_path / "small", ["generator"])
    path = tmp_path / "small" / model.name
    tensors = load_file(path)
    name = next(name for name in tensors if name.endswith(".step"))
    del tensors[name]
    save_file(tensors, path, metadata={"geoinv": json.dumps(read_header(path))})
    with pytest.raises(CheckpointError, match="in 8 bits"):
        load_generator(str(path))
