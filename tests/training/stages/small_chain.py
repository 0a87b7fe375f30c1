"""``train all`` on discs instead of rendered heads, with tiny networks and a few steps: real stages, no assets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from geoinv.evaluation.held_out import save_held_out
from geoinv.models.config import GeneratorConfig
from geoinv.models.discriminator_config import DiscriminatorConfig
from geoinv.shape import load_head_model
from geoinv.synth.dataset import DatasetSpec
from geoinv.synth.look import LOOK_SIZE
from geoinv.synth.sampler import HeadSampler
from geoinv.training.data.photo_batches import PhotoCounts
from geoinv.training.engine.run import Steps
from geoinv.training.losses.local import PatchSampling
from geoinv.training.losses.rays import SampleCounts
from geoinv.training.stages.all_stages import AllStages, Sizes
from geoinv.training.stages.anchored import AnchoredSettings
from geoinv.training.stages.encoder import EncoderSettings
from geoinv.training.stages.known_heads import KnownHeads
from geoinv.training.stages.local import LocalSettings
from geoinv.training.stages.mini_model import anchored_for_heads
from tests.evaluation.ellipsoid_heads import ellipsoid_heads
from tests.tiny_models import tiny_anchored_config, tiny_details, tiny_encoder_config
from tests.training.conftest import write_shard

HEADS, CHECK_HEADS = 6, 2
STEPS = 2
STAGES = ("generator", "encoder", "local")
SAMPLES = SampleCounts(4, 4)


def small_model() -> GeneratorConfig:
    """The tiny generator on the head mesh for the z of synthetic heads."""
    config = tiny_anchored_config()
    mapping = replace(anchored_for_heads().mapping, w_dim=config.mapping.w_dim, hidden=16)
    return replace(config, mapping=mapping)


def known_heads() -> KnownHeads:
    """Heads of the mean shape in white light."""
    count, random = 520, torch.Generator().manual_seed(0)
    light = torch.zeros(count, 9, 3)
    light[:, 0] = 3.5
    codes = load_head_model().mean_codes(count).as_vector()
    return KnownHeads(
        torch.randn(count, HeadSampler().z_dim, generator=random),
        codes,
        light,
        torch.randn(count, LOOK_SIZE, generator=random),
    )


def small_run(out: Path, *, steps: int = STEPS, **others: Any) -> AllStages:
    """A run whose data sets and held-out heads are written already, as rendering them would have."""
    model = small_model()
    sizes = Sizes(
        heads=HEADS,
        faces=HEADS,
        more_heads=HEADS,
        check_heads=CHECK_HEADS,
        direction_heads=1,
        shard_size=HEADS,
        model=model,
        encoder=tiny_encoder_config(model),
        details=tiny_details(model).config,
        discriminator=DiscriminatorConfig(16, (8, 8, 8)),
        known=known_heads(),
        generator_settings=AnchoredSettings(
            known_steps=2, heads_per_step=2, views_per_head=1, rays_per_view=16, samples=SAMPLES
        ),
        encoder_settings=EncoderSettings(
            PhotoCounts(photos=3, heads_rendered=1, faces=1, rays_per_view=16, landmark_sets=8), samples=SAMPLES
        ),
        local_settings=LocalSettings(heads_per_step=1, patch=PatchSampling(16, SAMPLES), adversarial_from=0.5),
        steps={stage: Steps(steps, look_every=100, checkpoint_every=1, log_every=1) for stage in STAGES},
    )
    config = AllStages(out, hours=1.0, sizes=sizes, **others)
    if not config.held_out.exists():
        _write_heads(config)
    return config


def _write_heads(config: AllStages) -> None:
    side, seed = config.sizes.model.resolution, 4 * config.seed + 2_000_000
    for spec in (
        DatasetSpec(CHECK_HEADS, 4, side, seed + 1, shard_size=HEADS, twins=True, around=True),
        DatasetSpec(HEADS, 3, side, seed + 2, shard_size=HEADS, twins=True),
        DatasetSpec(HEADS, 1, side, seed + 3, supersample=1, shard_size=HEADS),
        DatasetSpec(HEADS, 2, side, seed + 4, shard_size=HEADS, around=True),
    ):
        folder = config.out / ("check", "faces", "more", "heads")[spec.seed - seed - 1]
        folder.mkdir(parents=True)
        write_shard(
            folder,
            "00000",
            spec.seed,
            twins=spec.twins,
            heads=spec.heads,
            views=spec.views,
            side=side,
            z_dim=HeadSampler().z_dim,
            with_albedo=True,
        )
        (folder / "dataset.json").write_text(json.dumps(spec.describe()), encoding="utf-8")
    save_held_out(config.held_out, ellipsoid_heads(1, HeadSampler().z_dim))
