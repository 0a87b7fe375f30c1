"""Conversion of TriPlaneNet's files: networks come out as they went in, for the generator that they are of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from geoinv.checkpoints import index
from geoinv.checkpoints.convert import convert
from geoinv.checkpoints.store import load_any_details, load_any_encoder, save_model, sha256_of
from geoinv.checkpoints.triplanenet_convert import convert_triplanenet
from geoinv.errors import CheckpointError, UsageError

from .official_triplanenet import face_generator, official_state, small_networks, write_triplanenet


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GEOINV_CACHE", str(tmp_path / "cache"))
    generator = face_generator()
    save_model(tmp_path / "faces.safetensors", generator, generator.config)
    return tmp_path / "faces.safetensors"


@pytest.mark.parametrize("as_zip", [True, False])
@pytest.mark.parametrize("version", ["v1", "v2", "v2-shuffle"])
def test_networks_come_through(tmp_path: Path, model: Path, version: str, as_zip: bool) -> None:
    encoder, branch = small_networks(version)
    source = write_triplanenet(tmp_path / "t.pt", official_state(encoder, branch, face_generator()), as_zip=as_zip)
    converted = convert_triplanenet(source, tmp_path / "tpn.safetensors", str(model))
    assert [path.name for path in converted.paths] == ["tpn-encoder.safetensors", "tpn-details.safetensors"]
    assert converted.left_out == ["best_val_loss", "opts", "psp_optimizer", "step", "triplane_optimizer"]
    own, info = load_any_encoder(str(model))  # found by the registry
    assert info.extra["generator_sha256"] == sha256_of(model)
    details = load_any_details(str(model))[0]
    assert torch.equal(own.state_dict()["w_avg"], face_generator().w_avg.half().float())
    for name, value in encoder.state_dict().items():
        assert name == "w_avg" or torch.equal(own.state_dict()[name], value), name
    assert details.config.sees_mirror == (version != "v1")  # type: ignore[union-attr]
    for name, value in branch.state_dict().items():
        assert torch.equal(details.state_dict()[name], value), name
    assert list(index.own_index()) == ["tpn-encoder", "tpn-details"] == list(converted.names)


Change = Callable[[dict[str, Tensor]], None]


def of_another_generator(state: dict[str, Tensor]) -> None:
    state["decoder.backbone.synthesis.b8.conv0.weight"] = torch.zeros(8, 8, 3, 3)


def with_another_width(state: dict[str, Tensor]) -> None:
    for name in [n for n in state if ".final_head_two.4." in n]:
        state[name] = state[name][:48]


MISTAKES: dict[str, tuple[Change, str]] = {
    "missing": (lambda s: s.__delitem__("psp_encoder.latlayer1.bias"), "latlayer1.bias is missing"),
    "unknown": (lambda s: s.__setitem__("triplanenet_encoder.up9", torch.zeros(1)), "up9 is unknown"),
    "stray": (lambda s: s.__setitem__("lpips.x", torch.zeros(1)), "lpips.x, which TriPlaneNet has not"),
    "shape": (lambda s: s.__setitem__("psp_encoder.latlayer2.bias", torch.zeros(3)), "latlayer2.bias is \\[3\\]"),
    "no numbers": (lambda s: s["psp_encoder.latlayer2.bias"].fill_(float("nan")), "latlayer2.bias is not finite"),
    "another generator": (of_another_generator, "trained with another generator than .*faces.safetensors"),
    "planes": (with_another_width, "48 channels of planes are not those of faces"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_key_is_accounted_for(tmp_path: Path, model: Path, mistake: str) -> None:
    change, message = MISTAKES[mistake]
    state = {name: value.clone() for name, value in official_state(*small_networks(), face_generator()).items()}
    change(state)
    source = write_triplanenet(tmp_path / "t.pt", state)
    with pytest.raises(CheckpointError, match=message) as caught:
        convert_triplanenet(source, tmp_path / "tpn.safetensors", str(model))
    assert str(source) in caught.value.message
    assert not index.own_index() and not list(tmp_path.glob("tpn-*"))


def test_the_kind_of_file_is_seen(tmp_path: Path, model: Path) -> None:
    source = write_triplanenet(tmp_path / "t.pt", official_state(*small_networks()))
    with pytest.raises(UsageError, match="an encoder of TriPlaneNet, for a generator of EG3D"):
        convert([source], tmp_path / "x.safetensors")
    other = write_triplanenet(tmp_path / "u.pt", official_state(*small_networks()))
    with pytest.raises(CheckpointError, match="an encoder of TriPlaneNet") as caught:
        convert([source, other], tmp_path / "x.safetensors")
    assert caught.value.hint == "convert it by itself"
    assert convert([source], tmp_path / "x.safetensors", str(model)).parameters > 1000
