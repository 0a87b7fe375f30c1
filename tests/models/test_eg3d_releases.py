"""The official releases' configurations: sizes as published, labels, backgrounds, cameras and depths."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from geoinv.camera import CameraPose
from geoinv.conventions import Orbit
from geoinv.errors import ShapeError
from geoinv.models.config import GeneratorConfig
from geoinv.models.eg3d_releases import release
from geoinv.models.generator import TriPlaneGenerator
from tests.checkpoints.official_pickles import small_release
from tests.models.test_superresolution import parameters_by_hand

NAMES = (
    "ffhq512-64",
    "ffhq512-128",
    "ffhqrebalanced512-64",
    "ffhqrebalanced512-128",
    "afhqcats512-128",
    "shapenetcars128-64",
)


@pytest.mark.parametrize("name", NAMES)
def test_sizes(name: str) -> None:
    config = release(name)
    resolution, rays = name.rpartition("-")[0][-3:], name.rpartition("-")[2]
    assert (config.name, config.resolution, config.neural_resolution) == (name, int(resolution), int(rays))
    with torch.device("meta"):
        generator = TriPlaneGenerator(config)
    total = sum(parameter.numel() for parameter in generator.parameters())
    # the cars' super-resolution has 128 and 64 channels, all others' 256 and 128
    cars = 30_662_136 - parameters_by_hand((256, 128)) + parameters_by_hand((128, 64))
    assert total == (30_662_136 if config.resolution == 512 else cars)
    assert GeneratorConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_an_older_header_has_a_head_s_cameras() -> None:
    values = release("ffhq512-128").to_dict()
    for name in ("orbit", "crop", "white_back"):
        del values[name]
    del values["mapping"]["label_scale"]
    read = GeneratorConfig.from_dict(values)
    assert (read.orbit, read.crop, read.mapping.label_scale) == (Orbit(), "face", 1.0)


@pytest.fixture(scope="module")
def cars() -> TriPlaneGenerator:
    torch.manual_seed(0)
    return TriPlaneGenerator(small_release(release("shapenetcars128-64"))).eval().requires_grad_(False)


def test_cars_do_not_look_at_labels(cars: TriPlaneGenerator) -> None:
    z = torch.randn(2, cars.config.z_dim)
    assert torch.equal(cars.mapping(z), cars.mapping(z, torch.randn(2, 25)))


def test_labels_are_scaled(cars: TriPlaneGenerator) -> None:
    config = replace(cars.config, mapping=replace(cars.config.mapping, label_scale=2.0))
    doubling = TriPlaneGenerator(config)
    plain = TriPlaneGenerator(replace(config, mapping=replace(config.mapping, label_scale=1.0)))
    plain.load_state_dict(doubling.state_dict())
    z, label = torch.randn(2, config.z_dim), torch.randn(2, 25)
    assert torch.equal(doubling.mapping(z, label), plain.mapping(z, 2.0 * label))
    with pytest.raises(ShapeError, match="label"):
        doubling.mapping(z)
    with pytest.raises(ShapeError, match=r"got \[1, 25\]"):
        doubling.mapping(z, label[:1])


def test_what_cars_leave_open_is_white_before_superresolution(cars: TriPlaneGenerator) -> None:
    """An empty volume: every feature is 1, as EG3D's marcher gives it, and the image 2 * 1 - 1."""
    generator = TriPlaneGenerator(cars.config).eval().requires_grad_(False)
    generator.load_state_dict(cars.state_dict())
    generator.decoder.net[2].bias[0] = -1e4
    w_plus = torch.randn(1, cars.config.num_ws, cars.config.w_dim)
    planes = generator.planes(w_plus)
    camera = cars.camera(CameraPose.from_angles(0.3))
    seen = generator.render(planes, camera, w_plus=w_plus)
    side = cars.config.neural_resolution
    ones = torch.ones(1, 32, side, side)
    assert generator.superresolution is not None
    expected = generator.superresolution(ones[:, :3], ones, w_plus[:, -1])
    assert torch.allclose(seen.color, (expected * 0.5 + 0.5).clamp(0, 1), atol=1e-6)
    assert generator.render(planes, camera, superresolution=False).alpha.max() < 1e-6


def test_cameras_of_an_orbit() -> None:
    orbit = release("shapenetcars128-64").orbit
    side = CameraPose.from_angles(torch.pi / 2).cam2world(orbit)
    assert torch.allclose(side[0, :3, 3], torch.tensor([1.7, 0.0, 0.0]), atol=1e-6)
    cats = CameraPose.from_angles(0.0).cam2world(release("afhqcats512-128").orbit)
    assert torch.allclose(cats[0, :3, 3], torch.tensor([0.0, 0.0, 2.64]), atol=1e-6)
    back = CameraPose.from_cam2world(side, orbit)
    assert back.yaw_rad.item() == pytest.approx(torch.pi / 2)
    assert back.shift.abs().max() < 1e-6


def test_a_wider_lens_sees_more(cars: TriPlaneGenerator) -> None:
    """A camera may have another lens than the generator's orbit: the middle of the wide view is the narrow one's."""
    planes = cars.planes(torch.randn(1, cars.config.num_ws, cars.config.w_dim))
    wide = cars.camera(CameraPose.from_angles(0.0))
    assert wide.focal == 1.7074
    narrow = replace(wide, focal=2.0 * wide.focal)
    with torch.no_grad():
        whole = cars.render(planes, wide, superresolution=False, resolution=32)
        middle = cars.render(planes, narrow, superresolution=False, resolution=16)
    assert torch.allclose(whole.depth[..., 8:24, 8:24], middle.depth, atol=1e-4)
