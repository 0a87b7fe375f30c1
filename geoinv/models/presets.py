"""Generators by name: those that ship or are loaded from releases."""

from __future__ import annotations

from dataclasses import replace

from ..ops.anchored_rays.reference import FEATURES, PLANES
from .config import AnchorConfig, BackboneConfig, GeneratorConfig, MappingConfig, RenderConfig


def mini(
    z_dim: int,
    categories: tuple[tuple[int, int, tuple[float, ...]], ...] = (),
    switches: tuple[tuple[int, float], ...] = (),
    ramps: tuple[tuple[int, float], ...] = (),
) -> GeneratorConfig:
    """The small generator that ships: 3 x 32 planes at 128, 128 px rays, 256 px output, no background."""
    w_dim = 256
    return GeneratorConfig(
        name="mini",
        mapping=MappingConfig(
            z_dim=z_dim,
            w_dim=w_dim,
            layers=3,
            hidden=384,
            lr_multiplier=1.0,
            normalise_z=False,
            categories=categories,
            switches=switches,
            ramps=ramps,
        ),
        backbone=BackboneConfig(
            w_dim=w_dim,
            channels=(256, 256, 192, 128, 96),
            out_channels=96,
            convs_per_block=(1, 2, 2, 2, 2),
            painting="subpixel",
            warp_rank=64,
            smooth=True,
        ),
        render=RenderConfig(num_samples=32, num_importance=24, limits="box"),
        decoder_hidden=64,
        feature_channels=16,
        third_plane="zy",
        neural_resolution=128,
        resolution=256,
        superresolution="residual",
    )


def anchored(
    z_dim: int,
    head_model: str,
    look_size: int,
    categories: tuple[tuple[int, int, tuple[float, ...]], ...] = (),
    switches: tuple[tuple[int, float], ...] = (),
    ramps: tuple[tuple[int, float], ...] = (),
) -> GeneratorConfig:
    """The small generator on the head mesh: 4 x 32 canonical planes at 128, 256 px rays, no super-resolution."""
    small, anchor = mini(z_dim, categories, switches, ramps), AnchorConfig(head_model, look_size)
    return replace(
        small,
        name="anchored",
        mapping=replace(small.mapping, shortcut=True),
        backbone=replace(
            small.backbone,
            w_dim=anchor.painted_size,
            out_channels=32 * PLANES,
            warp_rank=0,
            map_gain=16.0,
            blended_maps=32,
        ),
        render=replace(small.render, num_samples=40, num_importance=24),
        feature_channels=FEATURES,
        neural_resolution=256,
        superresolution="none",
        anchor=anchor,
    )


def ffhq512_128() -> GeneratorConfig:
    """EG3D's FFHQ generator at 512 px with 128 px rays (its official release)."""
    return GeneratorConfig(
        name="ffhq512_128",
        mapping=MappingConfig(z_dim=512, w_dim=512, label_dim=25),
        backbone=BackboneConfig(
            w_dim=512,
            channels=(512, 512, 512, 512, 512, 256, 128),
            out_channels=96,
            convs_per_block=(1, 2, 2, 2, 2, 2, 2),
        ),
        render=RenderConfig(num_samples=48, num_importance=48, limits="fixed"),
        decoder_hidden=64,
        feature_channels=32,
        third_plane="zx",
        neural_resolution=128,
        resolution=512,
        superresolution="hybrid8xdc",
    )
