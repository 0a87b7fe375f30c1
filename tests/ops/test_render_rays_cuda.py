"""The CUDA kernels: their bodies over a fake grid on the CPU against the reference, and that nvcc takes them."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import geoinv.ops.render_rays as operation
from geoinv.ops.render_rays import DecoderWeights, RaySampling, march_rays_reference, render_rays_reference

from .test_render_rays import Case, assert_as_good_as_float32, gradients, parts, random_case

FOLDER = Path(operation.__file__).parent


@pytest.fixture(scope="module")
def fake_grid(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    library = tmp_path_factory.mktemp("grid") / "grid.so"
    source = Path(__file__).with_name("render_rays_fake_grid.cpp")
    flags = ["-O1", "-std=c++20", "-shared", "-fPIC", f"-I{FOLDER}"]
    subprocess.run([compiler, *flags, str(source), "-o", str(library)], check=True)
    return ctypes.CDLL(str(library))


def pointers(tensors: list[Tensor | None]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(tensors))(*(None if t is None else t.data_ptr() for t in tensors))


def arguments(case: Case, samples: int, third_is_zx: bool, fine: int, limits: RaySampling | None) -> tuple[list, list]:
    """sizes, scalars, planes, decoder and rays for the library, and what must stay alive meanwhile."""
    planes, origins, directions, distances, hidden_weight, hidden_bias, output_weight, output_bias = case
    batch, _, channels, side, _ = planes.shape
    hidden, features = hidden_weight.shape[0], output_weight.shape[0] - 1
    has_box = limits is not None and limits.limits == "box"
    sizes = np.array(
        [batch, origins.shape[1], samples, side, channels, third_is_zx, hidden, features, fine, has_box], np.int64
    )
    near, far = (limits.near, limits.far) if limits else (0.0, 0.0)
    scalars = np.array([1.0, output_bias[0].item(), near, far], np.float32)
    pixels = planes.permute(0, 1, 3, 4, 2).contiguous()
    output_rows = torch.cat([output_weight[1:], output_weight[:1]])
    decoder = [hidden_weight.t().contiguous(), hidden_bias, output_rows, output_bias[1:].clone()]
    rays = [origins, directions, distances]
    alive = [sizes, scalars, pixels, decoder, rays]
    pointer = [
        sizes.ctypes.data_as(ctypes.c_void_p),
        scalars.ctypes.data_as(ctypes.c_void_p),
        ctypes.c_void_p(pixels.data_ptr()),
        pointers(decoder),
        pointers(rays),
    ]
    return pointer, alive


@pytest.mark.parametrize("third_plane", ["zx", "zy"])
@pytest.mark.parametrize(
    "sizes",
    [
        {"side": 5, "rays": 3, "samples": 4},
        {"channels": 5, "hidden": 7, "features": 3, "side": 9, "samples": 7, "rays": 65},
        {"samples": 1, "rays": 2},
    ],
)
def test_march_over_a_fake_grid(fake_grid: ctypes.CDLL, third_plane: str, sizes: dict[str, int]) -> None:
    case = random_case(**sizes)  # type: ignore[arg-type]
    call, alive = arguments(case, case[3].shape[2], third_plane == "zx", 0, None)
    truth = march_rays_reference(*case[:4], DecoderWeights(*case[4:]), box_side=1.0, third_plane=third_plane)
    outputs = [torch.full_like(tensor, 7.0) for tensor in parts(truth)]
    random = torch.Generator().manual_seed(5)
    cotangents = [torch.randn(tensor.shape, generator=random) for tensor in outputs]
    decoder = alive[3]
    found = [torch.zeros_like(alive[2]), torch.zeros_like(decoder[0]), torch.zeros_like(decoder[1])]
    found += [torch.zeros_like(decoder[2]), torch.zeros_like(case[7]), *(torch.zeros_like(t) for t in case[1:4])]
    fake_grid.fake_march(*call, pointers(outputs), pointers(cotangents), pointers(found))
    for ours, theirs in zip(outputs, parts(truth), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)
    v_planes, v_hidden, v_hidden_bias, v_output, v_output_bias, *v_rays = found
    ours = (
        v_planes.permute(0, 1, 4, 2, 3),
        *v_rays,
        v_hidden.t(),
        v_hidden_bias,
        torch.cat([v_output[-1:], v_output[:-1]]),
        torch.cat([v_output_bias[-1:], v_output_bias[:-1]]),
    )
    exact = tuple(tensor.double() for tensor in case)
    assert_as_good_as_float32(
        ours,
        gradients(march_rays_reference, case, third_plane),  # type: ignore[arg-type]
        gradients(march_rays_reference, exact, third_plane),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    "sampling", [RaySampling(12, 8, "box", 0.0, 0.0, 1.0, "zy"), RaySampling(9, 0, "fixed", 0.9, 2.1, 1.0, "zx")]
)
def test_render_over_a_fake_grid(fake_grid: ctypes.CDLL, sampling: RaySampling) -> None:
    case = random_case(density=0.5, rays=33)
    call, _alive = arguments(
        case, sampling.num_samples, sampling.third_plane == "zx", sampling.num_importance, sampling
    )
    truth = render_rays_reference(*case[:3], DecoderWeights(*case[4:]), sampling)
    outputs = [torch.full_like(tensor, 7.0) for tensor in (truth.features, truth.alpha, truth.distance)]
    fake_grid.fake_render(*call, pointers(outputs))
    for ours, theirs in zip(outputs, (truth.features, truth.alpha, truth.distance), strict=True):
        assert torch.allclose(ours, theirs, atol=2e-5)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nvcc") is None, reason="no nvcc")
@pytest.mark.parametrize("architecture", ["sm_75", "sm_80", "sm_90"])
def test_nvcc_takes_the_kernels(architecture: str, tmp_path: Path) -> None:
    command = ["nvcc", "-std=c++17", f"-arch={architecture}", "-c", str(FOLDER / "render_rays.cu")]
    subprocess.run([*command, "-o", str(tmp_path / "render_rays.o")], check=True)
