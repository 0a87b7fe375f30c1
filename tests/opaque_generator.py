"""A small random generator of EG3D's kind: labels, a hybrid super-resolution, and a background in the volume."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from geoinv.checkpoints.store import save_model
from geoinv.conventions import Orbit
from geoinv.models.config import BackboneConfig, GeneratorConfig, MappingConfig, RenderConfig
from geoinv.models.generator import TriPlaneGenerator
from geoinv.models.latent_space import random_codes

OTHER_ORBIT = Orbit(radius=2.2, pivot=(0.0, 0.02, 0.1), focal=3.6)
_SHARPNESS = 400.0  # of the surface: raw density a world unit, about


def opaque_config(*, orbit: Orbit | None = None) -> GeneratorConfig:
    """32 px rays and pictures of 128 px, so that a ray makes four pixels a side."""
    config = GeneratorConfig(
        name="opaque",
        mapping=MappingConfig(z_dim=4, w_dim=8, label_dim=25, layers=1, hidden=16, lr_multiplier=1.0),
        backbone=BackboneConfig(
            w_dim=8, channels=(16, 16, 16), out_channels=24, convs_per_block=(1, 2, 2), painting="subpixel"
        ),
        render=RenderConfig(num_samples=24, num_importance=24, limits="box"),
        decoder_hidden=16,
        feature_channels=8,
        third_plane="zx",
        neural_resolution=32,
        resolution=128,
        superresolution="hybrid2x",
    )
    return config if orbit is None else dataclasses.replace(config, orbit=orbit)


@cache
def opaque_generator(*, orbit: Orbit | None = None) -> TriPlaneGenerator:
    """A patterned lump before a patterned wall, in shape and colours that depend on w; frozen."""
    torch.manual_seed(0)
    generator = TriPlaneGenerator(opaque_config(orbit=orbit))
    with torch.no_grad():
        for block in (generator.superresolution.block0, generator.superresolution.block1):
            block.torgb.weight.mul_(0.1)  # close to the picture that rays show
        network = generator.backbone["synthesis"]
        network.mean_planes.copy_(_mean_planes(network.mean_planes.shape[-1]))
        painted = network.b16.torgb.weight.view(3, 8, 4, *network.b16.torgb.weight.shape[1:])
        painted[:, :2] = 0.0  # lump and wall stay
        painted[:, 2:] *= 10.0
        _shape(generator)
        generator.backbone["mapping"].w_avg.copy_(random_codes(generator, 2048, seed=0).mean(dim=0))
    return generator.eval().requires_grad_(False)


def _mean_planes(side: int) -> Tensor:
    """[24, side, side]: of each plane's 8 channels the first is the lump, the second the wall, the others a pattern."""
    ticks = (torch.arange(side) + 0.5) / side - 0.5
    row, column = torch.meshgrid(ticks, ticks, indexing="ij")
    planes = 2.0 * functional.interpolate(torch.randn(1, 24, 8, 8), (side, side), mode="bicubic")[0]
    planes[:8] *= 2.0  # (x, y), which alone tells up from down
    planes[0::8] = row.square() + column.square()  # on three planes, about 2 r^2
    planes[1::8] = 0.0
    planes[9] = row  # of the plane (x, z)
    return planes


def _shape(generator: TriPlaneGenerator) -> None:
    """The first two hidden units of the decoder say where the lump and the wall are, the others what colour."""
    hidden, output = generator.decoder.net[0], generator.decoder.net[2]
    gain = hidden.scaled()[0][0, 0] / hidden.weight[0, 0]
    hidden.weight[:2] = 0.0
    hidden.weight[0, 0], hidden.weight[1, 1] = -150.0 / gain, -100.0 / gain
    hidden.weight[0, 2:4] = 1.0 / gain  # bumps, by w among others
    hidden.bias[0], hidden.bias[1] = 5.0, -10.0
    hidden.weight[2:, :2] = 0.0
    gain = output.scaled()[0][0, 0] / output.weight[0, 0]
    output.weight[0] = 0.0
    output.weight[0, :2] = 30.0 / gain
    output.bias[0] = -20.0
    output.weight[1:, :2] = 0.0
    output.weight[1:4] *= 2.0


def write_opaque_generator(folder: Path, *, orbit: Orbit | None = None) -> Path:
    """Its file."""
    path = folder / "opaque-generator.safetensors"
    save_model(path, opaque_generator(orbit=orbit), opaque_config(orbit=orbit))
    return path
