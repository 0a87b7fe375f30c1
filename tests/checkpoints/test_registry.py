"""Encoders and local branches that lie elsewhere than beside their generator."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from geoinv.checkpoints import index, registry
from geoinv.checkpoints.registry import details_file, encoder_file, files_elsewhere, register
from geoinv.checkpoints.store import load_any_encoder, load_details, save_model, sha256_of
from geoinv.errors import CheckpointError, MissingEncoderError, UsageError
from geoinv.folders import weights_dir
from geoinv.models.encoder import GlobalEncoder
from geoinv.models.encoder_config import EncoderConfig
from tests.tiny_models import write_tiny_weights


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with encoder and local branch of a generator that lies by itself, and an empty cache."""
    monkeypatch.setenv("GEOINV_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GEOINV_WEIGHTS", str(write_tiny_weights(tmp_path / "weights")))
    (tmp_path / "run é").mkdir()
    for part in ("encoder", "details"):
        shutil.move(tmp_path / "weights" / f"mini-{part}.safetensors", tmp_path / "run é" / f"{part}.safetensors")
    return tmp_path / "run é"


def registered(run: Path) -> None:
    for part in registry.NetworkPart.__args__:
        register(run / f"{part}.safetensors", part, f"mine-{part}", source="me", licence='mine, "all" of it')


def test_a_generator_finds_what_is_registered_for_it(run: Path) -> None:
    with pytest.raises(MissingEncoderError):
        load_any_encoder("mini")
    registered(run)
    assert encoder_file("mini") == run / "encoder.safetensors"
    assert load_any_encoder("mini")[1].sha256 == sha256_of(run / "encoder.safetensors")
    assert load_details("mini")[1].path == run / "details.safetensors"
    assert files_elsewhere("mini") == {part: run / f"{part}.safetensors" for part in ("encoder", "details")}
    entry = index.load_index()["mine-details"]
    assert (entry.licence, entry.source, entry.is_shipped) == ('mine, "all" of it', "me", False)
    assert entry.encoder_sha256 == sha256_of(run / "encoder.safetensors")


def test_of_the_same_generator_elsewhere_too(run: Path, tmp_path: Path) -> None:
    registered(run)
    shutil.copy(tmp_path / "weights" / "mini-generator.safetensors", tmp_path / "g.safetensors")
    assert encoder_file(str(tmp_path / "g.safetensors")) == run / "encoder.safetensors"
    other = write_tiny_weights(tmp_path / "other", seed=1) / "mini-generator.safetensors"
    (tmp_path / "other" / "mini-encoder.safetensors").unlink()
    assert not encoder_file(str(other)).exists()
    with pytest.raises(CheckpointError, match="trained for other weights"):
        load_any_encoder(str(other), file=encoder_file(str(other), "mine"))


def test_what_lies_beside_comes_first(run: Path, tmp_path: Path) -> None:
    registered(run)
    beside = tmp_path / "weights" / "mini-encoder.safetensors"
    shutil.copy(run / "encoder.safetensors", beside)
    assert encoder_file("mini") == beside
    assert encoder_file("mini", "mine") == encoder_file("mini", "mine-encoder") == run / "encoder.safetensors"
    assert encoder_file("mini", "some/file") == Path("some/file")
    with pytest.raises(UsageError, match="no encoder is registered as 'mine-details'") as caught:
        encoder_file("mini", "mine-details")
    assert caught.value.hint == "there are: mine-encoder; or give a file"


def test_the_local_branch_follows_the_encoder(run: Path, tmp_path: Path) -> None:
    """Of two registered encoders of a generator, each with a local branch, the last is the usual one."""
    registered(run)
    first = run / "encoder.safetensors"
    generator = sha256_of(tmp_path / "weights" / "mini-generator.safetensors")
    encoder, info = load_any_encoder("mini")
    assert isinstance(encoder, GlobalEncoder) and isinstance(encoder.config, EncoderConfig)
    save_model(run / "new-encoder.safetensors", encoder, encoder.config, {**info.extra, "again": 1})
    branch, info = load_details("mini", encoder=first)
    made_for = {"generator_sha256": generator, "encoder_sha256": sha256_of(run / "new-encoder.safetensors")}
    save_model(run / "new-details.safetensors", branch, branch.config, made_for)
    register(run / "new-encoder.safetensors", "encoder", "newer", source="me", licence="mine")
    assert encoder_file("mini") == run / "new-encoder.safetensors"
    assert details_file("mini", encoder_file("mini")) == run / "new-details.safetensors", "beside the encoder"
    assert details_file("mini", first) == run / "details.safetensors"


def test_a_file_that_changed_is_refused(run: Path, tmp_path: Path) -> None:
    registered(run)
    other = write_tiny_weights(tmp_path / "other", seed=1)
    shutil.copy(other / "mini-encoder.safetensors", run / "encoder.safetensors")
    with pytest.raises(CheckpointError, match="registered as mine-encoder, is another file by now"):
        load_any_encoder("mini")
    (run / "encoder.safetensors").unlink()
    with pytest.raises(MissingEncoderError):
        load_any_encoder("mini")


def test_names(run: Path, tmp_path: Path) -> None:
    """A name stands for one file: the newest of its generator; a taken one gets digits of the generator's hash."""
    registered(run)
    registered(run)
    assert list(index.own_index()) == ["mine-encoder", "mine-details"]
    other = write_tiny_weights(tmp_path / "other", seed=1)
    name = register(other / "mini-encoder.safetensors", "encoder", "mine-encoder", source="me", licence="mine")
    assert name == f"mine-encoder-{sha256_of(other / 'mini-generator.safetensors')[:8]}"
    assert set(index.own_index()) == {"mine-encoder", "mine-details", name}


def test_two_that_register_at_once(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reads the index before it writes: the second waits for the first."""
    write = registry._write

    def slowly(entries: list[index.Entry]) -> None:
        time.sleep(0.3)
        write(entries)

    monkeypatch.setattr(registry, "_write", slowly)
    with ThreadPoolExecutor() as threads:
        for part in registry.NETWORK_PARTS:
            threads.submit(register, run / f"{part}.safetensors", part, f"mine-{part}", source="me", licence="mine")
    assert set(index.own_index()) == {"mine-encoder", "mine-details"}


def test_a_damaged_index(run: Path) -> None:
    registered(run)
    path = index.own_index_path()
    path.write_text(path.read_text() + '\n["x"]\nnonsense = 1\n')
    with pytest.raises(CheckpointError, match="x has 'nonsense', which no entry has") as caught:
        encoder_file("mini")
    assert caught.value.hint == f"mend or remove {path}"
    for damage in ('["x"]\nfile = 3', '["x"]\npart = "nose"', '["x"]\nattributes = 1', '["x"]\n', "x = 1", "[", "\0"):
        path.write_text(damage)
        with pytest.raises(CheckpointError, match="index.toml cannot be read") as caught:
            index.load_index()
        assert "\n" not in caught.value.message


def test_a_file_that_says_nothing_is_not_registered(run: Path) -> None:
    encoder, _ = load_any_encoder("mini", file=run / "encoder.safetensors")
    assert isinstance(encoder, GlobalEncoder)
    save_model(run / "silent.safetensors", encoder, encoder.config)
    with pytest.raises(CheckpointError, match="does not say which generator"):
        register(run / "silent.safetensors", "encoder", "silent", source="me", licence="mine")


def test_the_shipped_index_says_whose_encoder_is_whose() -> None:
    shipped = index.load_index()
    entries = [shipped[f"mini-{part}"] for part in ("generator", "encoder", "details")]
    generator, encoder, details = entries
    assert encoder.generator_sha256 == details.generator_sha256 == generator.sha256
    assert details.encoder_sha256 == encoder.sha256
    assert replace(encoder, file="").path == weights_dir()
    for entry in (encoder, details):
        header = registry.read_model_header(entry.path, registry.NetworkPart.__args__[entry is details])[1]
        assert header["generator_sha256"] == entry.generator_sha256
