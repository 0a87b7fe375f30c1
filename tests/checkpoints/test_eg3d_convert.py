"""Conversion of EG3D's files: same numbers, same pictures, every key and argument accounted for, nothing run."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from geoinv.camera import CameraPose
from geoinv.checkpoints.eg3d_convert import convert_eg3d, expected_shapes, our_tensors
from geoinv.checkpoints.store import load_generator
from geoinv.errors import CheckpointError
from geoinv.models.config import GeneratorConfig
from geoinv.models.eg3d_releases import release
from geoinv.models.generator import TriPlaneGenerator
from geoinv.models.presets import ffhq512_128

from .official_pickles import (
    MARK,
    official_arguments,
    official_tensors,
    small_release,
    write_official_pickle,
    write_state_dict,
)


def random_generator(config: GeneratorConfig, *, seed: int = 0) -> TriPlaneGenerator:
    torch.manual_seed(seed)
    generator = TriPlaneGenerator(config)
    with torch.no_grad():
        generator.w_avg.normal_()
        for name, parameter in generator.named_parameters():
            if name.endswith("noise_strength"):
                parameter.fill_(0.1)
    # as weights are loaded, so that the same kernels compute the same numbers
    return generator.to(memory_format=torch.channels_last).eval().requires_grad_(False)  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def cars() -> TriPlaneGenerator:
    """The smallest release, smaller still."""
    return random_generator(small_release(release("shapenetcars128-64")))


def picture(generator: TriPlaneGenerator) -> torch.Tensor:
    config = generator.config
    torch.manual_seed(1)
    w_plus = generator.mapping(torch.randn(1, config.z_dim), torch.randn(1, 25), truncation_psi=0.7)
    camera = generator.camera(CameraPose.from_angles(0.2))
    return generator.render(generator.planes(w_plus), camera, w_plus=w_plus).color


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickle_renders_the_same(cars: TriPlaneGenerator, tmp_path: Path, protocol: int) -> None:
    source = write_official_pickle(tmp_path / "cars.pkl", cars, protocol=protocol)
    converted = convert_eg3d(source, tmp_path / "cars.safetensors", name=cars.config.name)
    assert MARK not in os.environ
    loaded, info = load_generator(str(converted.path))
    assert loaded.config == cars.config == converted.config
    assert info.extra["source_sha256"] == converted.source_sha256
    for name, tensor in cars.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    assert torch.equal(picture(loaded), picture(cars))


@pytest.mark.parametrize("as_zip", [True, False])
def test_state_dict_renders_the_same(cars: TriPlaneGenerator, tmp_path: Path, as_zip: bool) -> None:
    source = write_state_dict(tmp_path / "cars.pt", cars, as_zip=as_zip, neural_rendering_resolution=16)
    converted = convert_eg3d(source, tmp_path / "cars.safetensors", name=cars.config.name)
    assert torch.equal(picture(load_generator(str(converted.path))[0]), picture(cars))


def test_ray_grid_that_the_file_does_not_tell_is_that_of_superresolution(
    cars: TriPlaneGenerator, tmp_path: Path
) -> None:
    converted = convert_eg3d(write_state_dict(tmp_path / "cars.pt", cars), tmp_path / "cars.safetensors")
    assert converted.config.neural_resolution == 64


@pytest.mark.parametrize(
    "name",
    [
        "ffhq512-64",
        "ffhq512-128",
        "ffhqrebalanced512-64",
        "ffhqrebalanced512-128",
        "afhqcats512-128",
        "shapenetcars128-64",
    ],
)
def test_arguments_of_the_releases_give_their_configurations(name: str) -> None:
    from geoinv.checkpoints.eg3d_arguments import generator_config

    config = release(name)
    arguments = official_arguments(config)
    side = config.neural_resolution
    read = generator_config(arguments, arguments["rendering_kwargs"], name=name, ray_side=side, third_plane="zx")
    assert read == config


def test_same_file_same_bytes(cars: TriPlaneGenerator, tmp_path: Path) -> None:
    source = write_official_pickle(tmp_path / "cars.pkl", cars)
    for name in "ab":
        convert_eg3d(source, tmp_path / f"{name}.safetensors", name="x")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_strided_tensors(cars: TriPlaneGenerator, tmp_path: Path) -> None:
    tensors = official_tensors(cars)
    name = "superresolution.block0.conv1.weight"
    tensors[name] = tensors[name].to(memory_format=torch.channels_last)
    source = write_official_pickle(tmp_path / "cars.pkl", cars, tensors=tensors)
    loaded, _ = load_generator(str(convert_eg3d(source, tmp_path / "cars.safetensors").path))
    assert torch.equal(loaded.state_dict()[name], tensors[name])


def test_corrected_planes_are_seen(cars: TriPlaneGenerator, tmp_path: Path) -> None:
    import tests.checkpoints.official_pickles as official

    corrected = official._PLANE_AXES.clone()
    corrected[2] = torch.tensor([[0.0, 0, 1], [0, 1, 0], [1, 0, 0]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(official, "_PLANE_AXES", corrected)
        source = write_official_pickle(tmp_path / "cars.pkl", cars)
        assert convert_eg3d(source, tmp_path / "c.safetensors").config.third_plane == "zy"
        patch.setattr(official, "_PLANE_AXES", torch.zeros(3, 3, 3))
        source = write_official_pickle(tmp_path / "cars.pkl", cars)
    with pytest.raises(CheckpointError, match="plane_axes"):
        convert_eg3d(source, tmp_path / "c.safetensors")


def refused(tmp_path: Path, source: Path) -> CheckpointError:
    """The error of a conversion, which is one line that names the file, and leaves nothing behind."""
    target = tmp_path / "out" / "x.safetensors"
    with pytest.raises(CheckpointError) as caught:
        convert_eg3d(source, target)
    assert not target.parent.exists() or not any(target.parent.iterdir())
    assert "\n" not in caught.value.message and str(source) in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decoder.net.0.weight": None}, "decoder.net.0.weight is missing"),
        ({"decoder.net.0.weight": torch.zeros(64, 31)}, r"decoder.net.0.weight is \[64, 31\], not \[64, 32\]"),
        ({"decoder.net.4.weight": torch.zeros(2)}, "decoder.net.4.weight is unknown"),
        ({"backbone.synthesis.b8.resample_filter": torch.zeros(2, 2)}, r"resample_filter is \[2, 2\], not \[4, 4\]"),
        ({"backbone.synthesis.b8.resample_filter": torch.zeros(4, 4)}, r"not \[1, 3, 3, 1\]"),
        ({"decoder.net.0.weight": torch.zeros(64, 32, dtype=torch.int32)}, "decoder.net.0.weight is of torch.int32"),
        ({"decoder.net.0.weight": torch.full((64, 32), torch.nan)}, "decoder.net.0.weight is not finite"),
    ],
)
def test_keys_that_do_not_fit_are_named(
    cars: TriPlaneGenerator, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    tensors = {name: value for name, value in {**official_tensors(cars), **change}.items() if value is not None}
    error = refused(tmp_path, write_official_pickle(tmp_path / "cars.pkl", cars, tensors=tensors))
    assert re.search(message, error.message), error.message


def test_many_wrong_keys_are_counted(cars: TriPlaneGenerator) -> None:
    with pytest.raises(CheckpointError, match="and [0-9]+ more"):
        our_tensors({}, expected_shapes(cars.config))


@pytest.mark.parametrize(
    ("part", "key", "value", "message"),
    [
        (None, "triplane_depth", 3, "init_kwargs has triplane_depth"),
        (None, "conv_clamp", 256, "conv_clamp = 256"),
        (None, "z_dim", 10**9, "z_dim = 1000000000"),
        (None, "z_dim", "512", "z_dim = '512'"),
        (None, "img_resolution", 512, "hybrid2x makes 128 px"),
        (None, "sr_num_fp16_res", 0, "sr_num_fp16_res = 0"),
        ("mapping_kwargs", "num_layers", 10**9, "num_layers = 1000000000"),
        ("mapping_kwargs", "activation", "relu", "activation = 'relu'"),
        ("sr_kwargs", "use_noise", False, "sr_kwargs has use_noise"),
        ("rendering_kwargs", "tri_grid", 1, "rendering_kwargs has tri_grid"),
        ("rendering_kwargs", "clamp_mode", "relu", "clamp_mode = 'relu'"),
        ("rendering_kwargs", "superresolution_module", "os.system", "super-resolution system"),
        ("rendering_kwargs", "superresolution_noise_mode", "random", "superresolution_noise_mode = 'random'"),
        ("rendering_kwargs", "depth_resolution", 10**7, "depth_resolution = 10000000"),
        ("rendering_kwargs", "ray_end", float("nan"), "ray_end = nan"),
        ("rendering_kwargs", "ray_end", 0.0, "rays from 0.1 to 0"),
    ],
)
def test_arguments_that_are_not_computed_are_named(
    cars: TriPlaneGenerator, tmp_path: Path, part: str | None, key: str, value: Any, message: str
) -> None:
    arguments = official_arguments(cars.config)
    (arguments if part is None else arguments[part])[key] = value
    error = refused(tmp_path, write_official_pickle(tmp_path / "cars.pkl", cars, arguments=arguments))
    assert message in error.message


def test_other_networks_are_refused(cars: TriPlaneGenerator, tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    torch.save({"G_ema": {"a": torch.zeros(1)}}, path)
    assert "no init_kwargs" in refused(tmp_path, path).message
    torch.save({"encoder": {}}, path)
    assert "neither G_ema nor state_dict" in refused(tmp_path, path).message
    torch.save(torch.zeros(3), path)
    assert "holds no network" in refused(tmp_path, path).message
    path.write_bytes(b"")
    assert "empty" in refused(tmp_path, path).message
    path.write_bytes(b"hello")
    assert "neither a pickle" in refused(tmp_path, path).message
    path.write_bytes(pickle.dumps({"G_ema": torch.nn.Linear(2, 2)}))
    assert "G_ema is a torch.nn.modules.linear.Linear" in refused(tmp_path, path).message
    assert "no such file" in refused(tmp_path, tmp_path / "gone.pkl").message


def test_rendering_in_use_counts(cars: TriPlaneGenerator, tmp_path: Path) -> None:
    rendering = {**official_arguments(cars.config)["rendering_kwargs"], "depth_resolution": 96}
    source = write_official_pickle(tmp_path / "cars.pkl", cars, rendering_kwargs=rendering)
    assert convert_eg3d(source, tmp_path / "c.safetensors").config.render.num_samples == 96


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from /proc")
def test_full_size_renders_the_same_in_bounded_memory(tmp_path: Path) -> None:
    config = replace(ffhq512_128(), render=replace(ffhq512_128().render, num_samples=12, num_importance=12))
    generator = random_generator(config)
    source = write_official_pickle(tmp_path / "ffhq.pkl", generator, has_others=False)
    target = tmp_path / "ffhq.safetensors"
    # not ru_maxrss: a new process begins with that of the one which started it
    code = (
        "import re, sys, pathlib\n"
        "from geoinv.checkpoints.eg3d_convert import convert_eg3d\n"
        "def kib(name):\n"
        "    return int(re.search(name + r':\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1])\n"
        "before = kib('VmRSS')\n"
        "convert_eg3d(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), name='ffhq512_128')\n"
        "print(kib('VmHWM') - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, source, target], check=True, capture_output=True, text=True)
    peak, size = 1024 * int(done.stdout), source.stat().st_size
    print(f"peak {peak / 1e6:.0f} MB above the program, file {size / 1e6:.0f} MB, {peak / size:.2f}x")
    assert peak < 3 * size
    loaded, _ = load_generator(str(target))
    assert loaded.config == config
    assert torch.equal(picture(loaded), picture(generator))
