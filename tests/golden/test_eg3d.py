"""Our generator against what EG3D's official code computed from the same weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from geoinv.models.generator import TriPlaneGenerator
from geoinv.models.presets import ffhq512_128

FOLDER = Path(__file__).parent


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    return ((ours - theirs).norm() / theirs.norm()).item()


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    outputs = np.load(FOLDER / "eg3d_tiny_512_outputs.npz")
    return {name: torch.from_numpy(outputs[name]) for name in outputs.files}


@pytest.fixture(scope="module")
def generator() -> TriPlaneGenerator:
    full = ffhq512_128()
    config = dataclasses.replace(
        full,
        neural_resolution=32,
        mapping=dataclasses.replace(full.mapping, z_dim=64),
        backbone=dataclasses.replace(full.backbone, channels=(32, 32, 32, 32, 16, 8, 4)),
        render=dataclasses.replace(full.render, num_samples=12, num_importance=12),
    )
    generator = TriPlaneGenerator(config)
    weights = load_file(FOLDER / "eg3d_tiny_512_weights.safetensors")
    # the low-pass filter is the same everywhere and part of our code
    generator.load_state_dict({k: v.float() for k, v in weights.items() if not k.endswith("resample_filter")})
    return generator.eval().requires_grad_(False)


def test_mapping(generator: TriPlaneGenerator, golden: dict[str, Tensor]) -> None:
    assert relative_error(generator.mapping(golden["z"], golden["c"]), golden["ws"]) < 1e-5
    truncated = generator.mapping(golden["z"], golden["c"], truncation_psi=0.7, truncation_cutoff=7)
    assert relative_error(truncated, golden["ws_trunc"]) < 1e-5


def test_planes_and_points(generator: TriPlaneGenerator, golden: dict[str, Tensor]) -> None:
    planes = generator.planes(golden["ws"])
    assert relative_error(planes[..., ::16, ::16], golden["planes_sub"]) < 1e-5
    assert torch.allclose(planes.mean(dim=(2, 3, 4)), golden["planes_mean"], atol=1e-5)
    assert torch.allclose(planes.std(dim=(2, 3, 4)), golden["planes_std"], rtol=1e-5)
    raw, features = generator._decode(planes, golden["points"])
    assert relative_error(raw, golden["sigma"].squeeze(-1)) < 1e-5
    assert relative_error(features, golden["rgb"]) < 1e-5


def test_rays_at_the_depths_it_drew(generator: TriPlaneGenerator, golden: dict[str, Tensor]) -> None:
    distances = torch.cat([golden["depths_coarse"], golden["depths_fine"]], dim=2).squeeze(-1).sort(dim=-1).values
    planes = generator.planes(golden["ws"])
    output = generator.march(planes, golden["ray_origins"], golden["ray_dirs"], distances)
    assert relative_error(output.features * 2.0 - 1.0, golden["feature"]) < 1e-5
    assert relative_error(output.distance, golden["depth"].squeeze(-1)) < 1e-5
    assert relative_error(output.alpha, golden["weights_sum"].squeeze(-1)) < 1e-5


def test_superresolution(generator: TriPlaneGenerator, golden: dict[str, Tensor]) -> None:
    features = golden["feature"].transpose(1, 2).unflatten(2, (32, 32))
    assert generator.superresolution is not None
    image = generator.superresolution(features[:, :3], features, golden["ws"][:, -1])
    assert relative_error(image[..., ::4, ::4], golden["sr_sub"]) < 1e-5
    assert torch.allclose(image.mean(dim=(2, 3)), golden["sr_mean"], atol=1e-5)


def test_our_depths_are_the_middles_of_the_slices_it_draws_from(
    generator: TriPlaneGenerator, golden: dict[str, Tensor]
) -> None:
    render = generator.config.render
    drawn = golden["depths_coarse"].squeeze(-1)  # [B, N, S]
    width = (3.3 - 2.25) / (12 - 1)
    middles = 2.25 + (torch.arange(12) + 0.5) * width
    assert (drawn - middles).abs().max() <= 0.5 * width + 1e-5
    assert torch.allclose(drawn.mean(dim=(0, 1)), middles, atol=0.05 * width), "each slice is drawn from evenly"
    coarse_only = TriPlaneGenerator(
        dataclasses.replace(generator.config, render=dataclasses.replace(render, num_importance=0))
    )
    coarse_only.load_state_dict(generator.state_dict())
    planes, rays = generator.planes(golden["ws"]), (golden["ray_origins"][:, :64], golden["ray_dirs"][:, :64])
    ours = coarse_only.render_rays(planes, *rays)
    given = generator.march(planes, *rays, middles.expand(2, 64, 12))
    assert relative_error(ours.features, given.features) < 1e-5
    assert relative_error(ours.distance, given.distance) < 1e-5
