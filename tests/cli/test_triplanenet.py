"""TriPlaneNet on the command line: converted for a generator of EG3D, then a photo inverted and shown with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from geoinv.checkpoints.store import save_model
from geoinv.inversion import Inversion
from tests.checkpoints.official_triplanenet import face_generator, official_state, small_networks, write_triplanenet

from .conftest import Done


def test_a_photo_is_inverted(
    geoinv: Callable[..., Done], woman: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEOINV_CACHE", str(tmp_path / "cache"))
    generator = face_generator()
    save_model(tmp_path / "cache" / "weights" / "faces-generator.safetensors", generator, generator.config)
    source = write_triplanenet(tmp_path / "best_model.pt", official_state(*small_networks(), generator))
    convert = ("weights", "convert", source, "triplanenet", "--json")
    geoinv(*convert).assert_fails(2, "an encoder of TriPlaneNet", "--model")
    done = geoinv(*convert, "--model", "faces")
    assert done.code == 0, done.err
    assert done.json["registered"] == ["triplanenet-encoder", "triplanenet-details"]
    geoinv(*convert, "--model", "faces").assert_fails(2, "triplanenet-encoder.safetensors exists", "--overwrite")
    geoinv(*convert, "--model", "mini", "--overwrite").assert_fails(3, "are not those of mini")

    done = geoinv("invert", woman, "--model", "faces", "--encoder", "triplanenet", "--no-turntable", "--json")
    assert done.code == 0, done.err
    assert done.json["method"] == "hybrid"
    inversion = Inversion.load(done.json["inversion"])
    assert inversion.branch is not None and Path(inversion.branch.path).name == "triplanenet-details.safetensors"
    assert abs(float(inversion.camera[0])) < 1.0, "the camera is alignment's"
    done = geoinv("render", done.json["inversion"], "--model", "faces", "--yaw", "20", "--out", "shown", "--json")
    assert done.code == 0, done.err
    geoinv("invert", woman, "--encoder", "triplanenet", "--out", "m").assert_fails(3, "trained for other weights")
