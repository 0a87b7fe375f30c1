"""Every tensor of a batch goes to the run's device, wherever it lies in the batch."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from geoinv.training.data.face_photos import FacePhotoBatch
from geoinv.training.data.head_shards import HeadShards
from geoinv.training.data.photo_batches import PhotoCounts, photo_batch
from geoinv.training.data.view_pairs import head_pairs
from geoinv.training.engine.devices import moved
from geoinv.training.engine.loop import train
from geoinv.training.stages.superresolution import grid_patches
from tests.training.engine.line_stage import LineStage, line_run

ELSEWHERE = torch.device("meta")  # a device that every machine has


def tensors_of(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if is_dataclass(value) and not isinstance(value, type):
        return [tensor for field in fields(value) for tensor in tensors_of(getattr(value, field.name))]
    if isinstance(value, dict):
        return tensors_of(list(value.values()))
    return [tensor for item in value for tensor in tensors_of(item)] if isinstance(value, tuple | list) else []


@dataclass(frozen=True)
class Inner:
    values: Tensor
    name: str


def test_nested_values() -> None:
    batch = (Inner(torch.ones(2), "a"), None, {"b": [torch.zeros(3), 5]})
    inner, nothing, rest = moved(batch, ELSEWHERE)  # type: ignore[misc]
    assert inner.values.device == ELSEWHERE and inner.values.shape == (2,) and inner.name == "a"
    assert nothing is None
    assert rest["b"][0].device == ELSEWHERE and rest["b"][1] == 5


@pytest.mark.parametrize("kind", ["rays", "photos", "pairs", "patches", "portraits"])
def test_batches_of_all_stages(twins: Path, kind: str) -> None:
    data, rng = HeadShards(twins), np.random.default_rng(0)
    ones = torch.ones(1, 1)
    batch: Any = {
        "rays": lambda: data.rays(rng, heads=2, views=2, rays_per_view=8),
        "photos": lambda: (photo_batch(data, rng, PhotoCounts(3, 2, 1, 8, 4)), None),
        "pairs": lambda: (head_pairs(data, rng, 2, same_view=False, twins=True), None),
        "patches": lambda: grid_patches(data, np.arange(2), grid=16, side=4, rng=rng),
        "portraits": lambda: FacePhotoBatch(*[ones] * 11),
    }[kind]()
    before, after = tensors_of(batch), tensors_of(moved(batch, ELSEWHERE))
    assert len(before) == len(after) >= 4
    assert all(tensor.device.type == "cpu" for tensor in before)
    assert all(tensor.device == ELSEWHERE for tensor in after)


def test_the_loop_moves_every_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = LineStage(line_run(tmp_path, 3))
    seen: list[torch.device] = []
    monkeypatch.setattr(
        "geoinv.training.engine.loop.moved", lambda batch, device: seen.append(device) or moved(batch, device)
    )
    train(stage)
    assert seen == [stage.run.device] * 3
