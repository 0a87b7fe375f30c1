"""Weights on disk: round trip, same bytes, and every way a file can be wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from geoinv.checkpoints.model_format import BaseModel, save_changes
from geoinv.checkpoints.store import (
    generator_path,
    load_any_generator,
    load_details,
    load_encoder,
    load_generator,
    load_sibling,
    model_metadata,
    save_model,
    sha256_of,
)
from geoinv.errors import CheckpointError, MissingDetailsError, MissingEncoderError
from geoinv.models import families
from geoinv.models.anchored_generator import AnchoredGenerator
from geoinv.models.config import GeneratorConfig
from geoinv.models.generator import TriPlaneGenerator
from geoinv.shape import Proportions
from tests.tiny_models import tiny_anchored_config, tiny_config, write_tiny_weights


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = write_tiny_weights(tmp_path / "weights")
    monkeypatch.setenv("GEOINV_WEIGHTS", str(folder))
    return folder


def test_round_trip_in_half_precision(tmp_path: Path) -> None:
    generator = TriPlaneGenerator(tiny_config())
    path = tmp_path / "g.safetensors"
    save_model(path, generator, generator.config, {"steps": 3})
    loaded, info = load_generator(str(path))
    assert info.extra == {"steps": 3}
    assert loaded.config == generator.config
    for name, value in generator.state_dict().items():
        assert torch.allclose(loaded.state_dict()[name], value, rtol=1e-3, atol=1e-3)


def test_loading_imports_no_compiler(weights: Path) -> None:
    load = "load_generator(); load_encoder(); load_details()"
    code = (
        "import sys; from geoinv.checkpoints.store import load_details, load_encoder, load_generator; "
        f"{load}; print([name for name in ('torch._dynamo', 'sympy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_same_weights_same_bytes(tmp_path: Path) -> None:
    generator = TriPlaneGenerator(tiny_config())
    for name in "ab":
        save_model(tmp_path / f"{name}.safetensors", generator, generator.config, {"x": 1, "y": 2})
    assert sha256_of(tmp_path / "a.safetensors") == sha256_of(tmp_path / "b.safetensors")


def test_by_name(weights: Path) -> None:
    assert load_generator("mini")[1].sha256 == sha256_of(weights / "mini-generator.safetensors")
    assert load_encoder("mini")[1].path == weights / "mini-encoder.safetensors"


def test_unknown_name_lists_the_known(weights: Path) -> None:
    with pytest.raises(CheckpointError, match="'maxi'") as caught:
        load_generator("maxi")
    assert caught.value.hint == "known models: mini"


def test_encoder_of_other_weights_is_refused(weights: Path) -> None:
    torch.manual_seed(5)
    save_model(weights / "mini-generator.safetensors", TriPlaneGenerator(tiny_config()), tiny_config())
    with pytest.raises(CheckpointError, match="trained for other weights"):
        load_encoder("mini")


def test_missing_details(weights: Path) -> None:
    (weights / "mini-details.safetensors").unlink()
    with pytest.raises(MissingDetailsError, match="no local branch for model 'mini'") as caught:
        load_details("mini")
    assert (caught.value.exit_code, caught.value.hint) == (3, "reinstall geoinv; `--method encoder` does without")
    with pytest.raises(MissingDetailsError) as caught:
        load_details(str(weights / "mini-generator.safetensors"))
    assert caught.value.hint is not None


@pytest.mark.parametrize("part", ["generator", "encoder"])
def test_details_of_other_weights_are_refused(weights: Path, tmp_path: Path, part: str) -> None:
    other = write_tiny_weights(tmp_path / "other", seed=1)
    name = f"mini-{part}.safetensors"
    (weights / name).write_bytes((other / name).read_bytes())
    with pytest.raises(MissingDetailsError, match=f"other weights than .*mini-{part}"):
        load_details("mini")


def test_older_details_that_name_no_encoder_are_taken(weights: Path) -> None:
    path = weights / "mini-details.safetensors"
    branch, info = load_details("mini")
    save_model(path, branch, branch.config, {"generator_sha256": info.extra["generator_sha256"]})
    assert load_details("mini")[1].extra.keys() == {"generator_sha256"}


def test_damaged_details_are_no_missing_ones(weights: Path) -> None:
    path = weights / "mini-details.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="damaged") as caught:
        load_details("mini")
    assert not isinstance(caught.value, MissingDetailsError)


def test_a_missing_encoders_hint_is_true(weights: Path) -> None:
    """`train encoder --self` makes one for any generator, of EG3D's kind too."""
    config = tiny_config()
    of_eg3d = replace(config, mapping=replace(config.mapping, label_dim=25))
    hints = []
    for name, own in (("heads", config), ("eg3d", of_eg3d)):
        save_model(weights / f"{name}-generator.safetensors", TriPlaneGenerator(own), own)
        with pytest.raises(MissingEncoderError) as caught:
            load_encoder(name)
        hints.append(caught.value.hint)
    without = "`geoinv invert --method optimise` works without one"
    made = "makes one of the generator's own samples"
    assert hints == [f"{without}; `geoinv train encoder --self --model {name}` {made}" for name in ("heads", "eg3d")]


def test_cut_file(weights: Path) -> None:
    path = weights / "mini-generator.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="damaged"):
        load_generator("mini")


def test_foreign_file(weights: Path) -> None:
    save_file({"x": torch.zeros(1)}, weights / "mini-generator.safetensors")
    with pytest.raises(CheckpointError, match="holds no geoinv generator"):
        load_generator("mini")


def test_missing_tensor_is_named(tmp_path: Path) -> None:
    generator = TriPlaneGenerator(tiny_config())
    del generator.decoder.net[2].bias
    save_model(tmp_path / "g.safetensors", generator, tiny_config())
    with pytest.raises(CheckpointError, match=r"decoder.net.2.bias missing"):
        load_generator(str(tmp_path / "g.safetensors"))


@pytest.mark.parametrize(
    "claim",
    [
        {"backbone": {"channels": [10**7, 10**7]}},
        {"backbone": {"channels": ["a", 16]}},
        {"backbone": {"out_channels": -3}},
        {"mapping": {"layers": 10**9}},
        {"mapping": {"z_dim": 10**15}},
        {"superresolution": "hybrid9x"},
        {"orbit": {"focus": 3}},
    ],
)
def test_a_header_cannot_claim_memory(tmp_path: Path, claim: dict[str, Any]) -> None:
    """Nothing is allocated, nor built for ever, before the tensors of the file are seen to fit."""
    generator = TriPlaneGenerator(tiny_config())
    config: dict[str, Any] = json.loads(json.dumps(generator.config.to_dict()))
    for name, value in claim.items():
        config[name] = {**config[name], **value} if isinstance(value, dict) else value
    header = {"format": "geoinv-model-1", "kind": "generator", "config": config, "extra": {}}
    path = tmp_path / "g.safetensors"
    save_file(generator.state_dict(), path, metadata={"geoinv": json.dumps(header)})
    with pytest.raises(CheckpointError):
        load_generator(str(path))


def test_networks_are_built_without_memory(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    devices = []

    def build(config: GeneratorConfig) -> TriPlaneGenerator:
        devices.append(torch.empty(1).device.type)
        return TriPlaneGenerator(config)

    monkeypatch.setattr(families, "TriPlaneGenerator", build)
    generator, _ = load_generator("mini")
    assert devices == ["meta"]
    assert {value.device.type for value in generator.state_dict().values()} == {"cpu"}


class TestChangesOfAnother:
    """A file that holds what a generator changes of another, which lies beside it or has a name."""

    @staticmethod
    def toon(folder: Path, base: BaseModel | None = None) -> Path:
        """Other colours of the tiny ``mini``."""
        bias = torch.full_like(load_generator("mini")[0].decoder.net[-1].bias, 0.5)
        known = base or BaseModel("mini", sha256_of(generator_path("mini")))
        path = folder / "toon-generator.safetensors"
        save_changes(
            path, {"decoder.net.2.bias": bias}, replace(tiny_config(), name="toon"), base=known, extra={"steps": 3}
        )
        return path

    @pytest.mark.parametrize("place", ["beside", "elsewhere"])
    def test_the_rest_is_the_others(self, weights: Path, tmp_path: Path, place: str) -> None:
        path = self.toon(weights if place == "beside" else tmp_path)
        toon, info = load_generator("toon" if place == "beside" else str(path))
        assert (toon.config.name, info.sha256, info.extra) == ("toon", sha256_of(path), {"steps": 3})
        for name, value in load_generator("mini")[0].state_dict().items():
            other = toon.state_dict()[name]
            assert bool((other == 0.5).all()) if name == "decoder.net.2.bias" else torch.equal(other, value)
        assert path.stat().st_size < generator_path("mini").stat().st_size / 4

    def test_changes_of_other_weights_are_refused(self, weights: Path) -> None:
        self.toon(weights, BaseModel("mini", "0" * 64))
        with pytest.raises(CheckpointError, match="toon-generator.safetensors changes other weights than"):
            load_generator("toon")

    def test_without_the_other(self, weights: Path) -> None:
        self.toon(weights)
        (weights / "mini-generator.safetensors").unlink()
        with pytest.raises(CheckpointError, match="no weights of model 'mini'"):
            load_generator("toon")

    @pytest.mark.parametrize("base", ["mini", {"name": "mini"}, {"name": 1, "sha256": "0"}])
    def test_a_damaged_header(self, weights: Path, base: Any) -> None:
        path = self.toon(weights)
        header = json.loads(model_metadata("generator", tiny_config().to_dict(), {})["geoinv"]) | {"base": base}
        save_file({"x": torch.zeros(1)}, path, metadata={"geoinv": json.dumps(header)})
        with pytest.raises(CheckpointError, match="does not say what it changes"):
            load_generator("toon")

    def test_a_name_leads_nowhere_else(self, weights: Path, tmp_path: Path) -> None:
        """A base that is a path: a file from elsewhere must not make geoinv open files of its choosing."""
        path = self.toon(weights, BaseModel(str(tmp_path / "secret.safetensors"), "0" * 64))
        with pytest.raises(CheckpointError, match="does not say what it changes"):
            load_generator(str(path))


def test_the_shipped_toon_is_one_of_the_shipped_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new ``mini`` without a new toon would fail here: its hash is in the toon's file."""
    monkeypatch.delenv("GEOINV_WEIGHTS", raising=False)
    mini, info = load_any_generator("mini")
    toon, toon_info = load_sibling("mini-toon", mini.config, info.name)
    assert toon_info.path.stat().st_size < 2_000_000
    assert toon.config.name == "toon"
    before = mini.state_dict()
    changed = {name for name, value in toon.state_dict().items() if not torch.equal(value, before[name])}
    assert any(name.startswith("decoder.") for name in changed)
    assert not any(name.startswith("backbone.mapping.") for name in changed)  # codes mean the same


def test_a_sibling_may_have_other_proportions_and_nothing_else(tmp_path: Path) -> None:
    config = tiny_anchored_config()
    generator = AnchoredGenerator(config)
    save_model(tmp_path / "head.safetensors", generator, config)
    toon = replace(config, name="toon", proportions=Proportions(jaw=0.8))
    save_model(tmp_path / "toon.safetensors", generator, toon)
    assert load_sibling(str(tmp_path / "toon.safetensors"), config, "head")[0].config == toon
    other = replace(toon, render=replace(config.render, num_samples=20))
    with pytest.raises(CheckpointError, match="they differ in render$"):
        load_sibling(str(tmp_path / "toon.safetensors"), other, "head")
