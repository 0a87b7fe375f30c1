"""A folder of weights with a tiny random generator, its encoder and a few directions: all that the commands need."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import torch

from geoinv.checkpoints.store import save_model, sha256_of, weights_dir
from geoinv.editing import Directions, save_directions
from geoinv.models.anchor import head_model_id
from geoinv.models.anchored_generator import AnchoredGenerator
from geoinv.models.config import AnchorConfig, BackboneConfig, GeneratorConfig, MappingConfig, RenderConfig
from geoinv.models.detail_config import DetailConfig
from geoinv.models.encoder import GlobalEncoder
from geoinv.models.encoder_config import EncoderConfig
from geoinv.models.generator import TriPlaneGenerator
from geoinv.models.local_branch import LocalBranch
from geoinv.ops.anchored_rays import FEATURES, PLANES
from geoinv.synth.look import LOOK_SIZE


def tiny_config() -> GeneratorConfig:
    """The shape of ``mini`` in small: 16 px planes, 16 px rays, 32 px pictures."""
    return GeneratorConfig(
        name="tiny",
        mapping=MappingConfig(z_dim=8, w_dim=16, layers=1, hidden=16, lr_multiplier=1.0, normalise_z=False),
        backbone=BackboneConfig(
            w_dim=16,
            channels=(16, 16),
            out_channels=24,
            convs_per_block=(1, 2),
            painting="subpixel",
            warp_rank=4,
            warp_side=8,
            smooth=True,
        ),
        render=RenderConfig(num_samples=8, num_importance=8, limits="box"),
        decoder_hidden=16,
        feature_channels=8,
        third_plane="zy",
        neural_resolution=16,
        resolution=32,
        superresolution="residual",
    )


def tiny_anchored_config() -> GeneratorConfig:
    """The shape of ``anchored`` in small, on the shipped head model."""
    config = tiny_config()
    anchor = AnchorConfig(head_model_id(), LOOK_SIZE, cells=16, face_cells=16, shape_hidden=16, light_hidden=8)
    return replace(
        config,
        name="tiny-anchored",
        mapping=replace(config.mapping, shortcut=True),
        backbone=replace(
            config.backbone, w_dim=anchor.painted_size, out_channels=8 * PLANES, warp_rank=0, blended_maps=3
        ),
        feature_channels=FEATURES,
        render=replace(config.render, num_samples=24, num_importance=16),
        resolution=config.neural_resolution,
        superresolution="none",
        anchor=anchor,
    )


def tiny_encoder_config(config: GeneratorConfig) -> EncoderConfig:
    """The shape of an encoder of a tiny generator."""
    return EncoderConfig(
        config.name,
        config.num_ws,
        config.w_dim,
        channels=(8, 8, 8, 8, 8),
        blocks=(1, 1, 1, 1, 1),
        hidden=16,
        landmark_widths=(16, 16),
        shape_size=0 if config.anchor is None else config.anchor.code_size,
    )


def tiny_details(config: GeneratorConfig | None = None, *, seed: int = 0) -> LocalBranch:
    """A local branch for a tiny generator that changes colours at random; a new one would change nothing."""
    torch.manual_seed(seed)
    config = config or tiny_config()
    branch = LocalBranch(
        DetailConfig(
            "mini",
            config.decoder_hidden,
            config.neural_resolution,
            channels=8,
            widths=(8, 8),
            aligner_widths=(8, 8),
            hidden=8,
            enlargement=config.enlargement,
        )
    )
    with torch.no_grad():
        for layer in (branch.film[-1], branch.aligner.body.head):
            torch.nn.init.normal_(layer.weight, std=0.3)
    return branch.eval()


def write_tiny_anchored(folder: Path, *, seed: int = 0) -> Path:
    """Write the tiny generator on the head mesh, its encoder and local branch into ``folder``; returns its file."""
    torch.manual_seed(seed)
    config = tiny_anchored_config()
    generator = AnchoredGenerator(config)
    path = folder / "tiny-anchored-generator.safetensors"
    save_model(path, generator, config)
    encoder = GlobalEncoder(tiny_encoder_config(config))
    encoder.start_at(generator)
    trained_for = {"generator_sha256": sha256_of(path)}
    save_model(folder / "tiny-anchored-encoder.safetensors", encoder, encoder.config, trained_for)
    branch = tiny_details(config)
    trained_for["encoder_sha256"] = sha256_of(folder / "tiny-anchored-encoder.safetensors")
    save_model(folder / "tiny-anchored-details.safetensors", branch, branch.config, trained_for)
    return path


def write_tiny_weights(folder: Path, *, seed: int = 0) -> Path:
    """Write the tiny model as ``mini`` into ``folder``, beside the real face and head models; returns the folder."""
    shutil.copytree(weights_dir() / "face", folder / "face")
    shutil.copy(weights_dir() / "head-model.safetensors", folder)
    torch.manual_seed(seed)
    config = tiny_config()
    generator = TriPlaneGenerator(config)
    with torch.no_grad():
        generator.decoder.net[-1].bias[0] = 60.0  # dense everywhere: a box, so that there is a surface to mesh
    save_model(folder / "mini-generator.safetensors", generator, config)
    sha256 = sha256_of(folder / "mini-generator.safetensors")
    encoder_config = tiny_encoder_config(replace(config, name="mini"))
    encoder = GlobalEncoder(encoder_config)
    save_model(folder / "mini-encoder.safetensors", encoder, encoder_config, {"generator_sha256": sha256})
    branch = tiny_details()
    trained_for = {
        "generator_sha256": sha256,
        "encoder_sha256": sha256_of(folder / "mini-encoder.safetensors"),
    }
    save_model(folder / "mini-details.safetensors", branch, branch.config, trained_for)
    vectors = {name: torch.randn(config.num_ws, config.w_dim) for name in ("smile", "age", "hair_dark")}
    descriptions = {"smile": "a broad smile", "age": "older", "hair_dark": "darker hair"}
    save_directions(folder / "mini-directions.safetensors", Directions(vectors, descriptions, sha256))
    return folder
