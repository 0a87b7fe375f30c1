"""``train all`` on discs instead of rendered heads, with tiny networks and a few steps: real stages, no assets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from geoinv.evaluation.held_out import save_held_out
from geoinv.models.config import DiscriminatorConfig, GeneratorConfig
from geoinv.synth.dataset import DatasetSpec
from geoinv.synth.sampler import HeadSampler
from geoinv.training.data.photo_batches import PhotoCounts
from geoinv.training.engine.run import Steps
from geoinv.training.losses.local import PatchSampling
from geoinv.training.stages.all_stages import AllStages, Sizes
from geoinv.training.stages.encoder import EncoderSettings
from geoinv.training.stages.generator import GeneratorSettings
from geoinv.training.stages.local import LocalSettings
from geoinv.training.stages.mini_model import mini_for_heads
from geoinv.training.stages.superresolution import SuperresolutionSettings
from tests.evaluation.ellipsoid_heads import ellipsoid_heads
from tests.tiny_models import tiny_config, tiny_details, tiny_encoder_config
from tests.training.conftest import write_shard

HEADS, CHECK_HEADS = 6, 2
STEPS = 2


def small_model() -> GeneratorConfig:
    """The tiny generator for the z of synthetic heads."""
    mapping = replace(mini_for_heads().mapping, w_dim=16, hidden=16)
    return replace(tiny_config(), name="mini", mapping=mapping)


def small_run(out: Path, *, steps: int = STEPS, **others: Any) -> AllStages:
    """A run whose data sets and held-out heads are written already, as rendering them would have."""
    model = small_model()
    sizes = Sizes(
        heads=HEADS,
        check_heads=CHECK_HEADS,
        large_heads=HEADS,
        large_check_heads=CHECK_HEADS,
        shard_size=HEADS,
        model=model,
        encoder=tiny_encoder_config(model),
        details=tiny_details().config,
        discriminator=DiscriminatorConfig(32, (8, 8, 8, 8)),
        generator_settings=GeneratorSettings(heads_per_step=2, views_per_head=1, rays_per_view=16, warp_steps=2),
        superresolution_settings=SuperresolutionSettings(patches_per_step=2, patch_side=8),
        encoder_settings=EncoderSettings(
            PhotoCounts(photos=3, heads_rendered=1, faces=1, rays_per_view=16, landmark_sets=8), shape_points=8
        ),
        local_settings=LocalSettings(heads_per_step=1, patch=PatchSampling(16), adversarial_from=0.5),
        steps={
            stage: Steps(steps, look_every=100, checkpoint_every=1, log_every=1)
            for stage in ("generator", "superresolution", "encoder", "local")
        },
    )
    config = AllStages(out, hours=1.0, sizes=sizes, **others)
    if not config.held_out.exists():
        _write_heads(config)
    return config


def _write_heads(config: AllStages) -> None:
    seed = 3 * config.seed + 2_000_001
    for name, heads, views, side, number in (
        ("check", CHECK_HEADS, 2, 16, seed),
        ("large-check", CHECK_HEADS, 2, 32, seed),
        ("large", HEADS, 3, 32, seed + 1),
        ("heads", HEADS, 3, 16, seed + 2),
    ):
        folder = config.out / name
        folder.mkdir(parents=True)
        z_dim = HeadSampler().z_dim
        write_shard(folder, "00000", number, twins=True, heads=heads, views=views, side=side, z_dim=z_dim)
        spec = DatasetSpec(heads, views, side, number, shard_size=HEADS, twins=True)
        (folder / "dataset.json").write_text(json.dumps(spec.describe()), encoding="utf-8")
    save_held_out(config.held_out, ellipsoid_heads(1, HeadSampler().z_dim))
