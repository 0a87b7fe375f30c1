"""A folder of made-up heads: coloured discs whose colour and size follow from z."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from geoinv.camera import CameraPose
from geoinv.conventions import FACE_ORBIT

HEADS, VIEWS, SIDE, Z_DIM = 12, 3, 32, 8


def write_shard(
    folder: Path,
    name: str,
    seed: int,
    *,
    twins: bool = False,
    heads: int = HEADS,
    views: int = VIEWS,
    side: int = SIDE,
    z_dim: int = Z_DIM,
    with_albedo: bool = False,
) -> None:
    """Twins differ in colour alone: same size, same cameras. With albedo, a shard is of format 3."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((heads, z_dim)).astype(np.float32)
    vectors = rng.normal(0, 0.1, (heads, views, 6))
    if twins:
        z[1::2, 0], vectors[1::2] = z[::2, 0], vectors[::2]
        (folder / "dataset.json").write_text(json.dumps({"twins": True}), encoding="utf-8")
    y, x = np.mgrid[0:side, 0:side] / side - 0.5
    radius = 0.25 + 0.03 * np.tanh(z[:, 0])
    inside = np.hypot(x, y)[None] < radius[:, None, None]  # [N, R, R]
    color = (127 + 100 * np.tanh(z[:, 1:4])).astype(np.uint8)
    rgba = np.zeros((heads, views, side, side, 4), np.uint8)
    rgba[..., :3] = color[:, None, None, None]
    rgba[..., 3] = inside[:, None] * np.uint8(255)
    depth = np.where(inside[:, None], 2.6, 0.0).astype(np.float16).repeat(views, axis=1)
    pose = CameraPose.from_vector(torch.from_numpy(vectors.reshape(-1, 6)))
    arrays = {
        "rgba": rgba,
        "depth": depth,
        "normals": np.zeros((heads, views, side, side, 3), np.int8),
        "cam2world": pose.cam2world(FACE_ORBIT).numpy().astype(np.float32).reshape(heads, views, 4, 4),
        "landmarks": np.full((heads, views, 73, 2), 0.5, np.float32),
    }
    if with_albedo:
        arrays["albedo"] = rgba[..., :3] // 2
        arrays["light"] = rng.standard_normal((heads, 9, 3)).astype(np.float32)
        arrays["lamp"] = np.zeros((heads, 2, 3), np.float32)
        arrays["codes"] = rng.standard_normal((heads, 150)).astype(np.float32)
    arrays["z"] = z
    for key, array in arrays.items():
        np.save(folder / f"{name}_{key}.npy", array)


@pytest.fixture
def discs(tmp_path: Path) -> Path:
    folder = tmp_path / "discs"
    folder.mkdir()
    write_shard(folder, "00000", 0)
    return folder


@pytest.fixture
def twins(tmp_path: Path) -> Path:
    folder = tmp_path / "twins"
    folder.mkdir()
    write_shard(folder, "00000", 0, twins=True)
    return folder
