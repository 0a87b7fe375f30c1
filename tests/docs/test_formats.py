"""docs/formats.md says what files hold: its tables are compared with files that the code writes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from geoinv.errors import MissingDependencyError
from geoinv.inversion import Inversion
from geoinv.inversion.kept_photos import OtherPhoto, PhotoDetails
from geoinv.inversion.saved import BranchFile
from geoinv.models.on_mesh import OnMesh
from geoinv.shape import HeadCodes
from tests.docs.pages import code_names, read, tables

TENSORS, FIELDS, SHARDS = tables(read("docs/formats.md"))


def _written(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, object]]:
    """Tensors and header of the file of an inversion that has everything a file can hold."""
    inversion = Inversion(
        w_plus=torch.zeros(1, 10, 256),
        camera=torch.zeros(6),
        photo=np.zeros((512, 512, 3), np.uint8),
        crop=np.zeros((2, 3)),
        source="me.jpg",
        source_size=(640, 480),
        generator="mini",
        generator_sha256="ab" * 32,
        tuning={"NAME": torch.zeros(2)},
        details=PhotoDetails(torch.zeros(3, 256, 256), torch.zeros(256, 256), torch.zeros(3, 256, 256)),
        branch=BranchFile("details.safetensors", "cd" * 32),
        on_mesh=OnMesh(HeadCodes.zeros(96), torch.zeros(1, 9, 3)),
        photo_light=torch.zeros(1, 9, 3),
        photo_codes=torch.zeros(1, 150),
        around=np.zeros((384, 384, 3), np.uint8),
    )
    other = OtherPhoto(
        inversion.w_plus,
        inversion.camera,
        inversion.photo,
        inversion.crop,
        "b.jpg",
        (64, 48),
        inversion.details,
        inversion.on_mesh,
        inversion.around,
    )
    inversion = replace(inversion, others=(other,))
    with safe_open(inversion.save(path), framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return tensors, json.loads(file.metadata()["geoinv"])


def test_tensors_of_an_inversion(tmp_path: Path) -> None:
    tensors, _ = _written(tmp_path / "me.geoinv")
    described = {name: row for row in TENSORS[1:] for name in code_names(row[0])}
    assert set(described) == set(tensors)
    for name, tensor in tensors.items():
        _, kind, meaning = described[name]
        if name.startswith("others."):
            first = tensors[name.removeprefix("others.")]
            assert tensor.dtype == first.dtype and tensor.numel() == first.numel(), name
            continue
        assert kind.split()[0] == str(tensor.dtype).removeprefix("torch."), name
        shape = re.search(r"\[[^\]]*\]", kind)
        if shape is not None and "num_ws" not in kind:
            assert shape[0] == str(list(tensor.shape)), name
    assert str(list(tensors["w_plus"].shape)) in described["w_plus"][2]


def test_fields_of_an_inversion(tmp_path: Path) -> None:
    _, header = _written(tmp_path / "me.geoinv")
    assert {name for row in FIELDS[1:] for name in code_names(row[0])} == set(header)


def test_arrays_of_a_shard() -> None:
    from geoinv.synth.dataset import DatasetSpec, render_shard
    from geoinv.synth.heads import HeadRenderer
    from geoinv.synth.sampler import HeadSampler

    try:
        renderer = HeadRenderer(None, resolution=32, supersample=1)
    except MissingDependencyError as error:
        pytest.skip(error.message)
    sampler = HeadSampler()
    arrays = render_shard(DatasetSpec(2, views=3, resolution=32), 0, sampler, renderer)
    described = {code_names(row[0])[0]: row[1] for row in SHARDS[1:]}
    assert list(described) == [f"NNNNN_{name}.npy" for name in arrays] and list(arrays)[-1] == "z"
    sizes = {"N": 2, "V": 3, "R": 32, "z_dim": sampler.z_dim}
    for name, array in arrays.items():
        kind, shape = described[f"NNNNN_{name}.npy"].split(" ", 1)
        assert kind == str(array.dtype)
        assert [sizes.get(n) or int(n) for n in shape.strip("[]").split(", ")] == list(array.shape)
