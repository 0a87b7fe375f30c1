"""Training of the local branch of a generator on the head mesh, in small."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from geoinv.checkpoints.store import load_any_details, load_generator_of_planes
from geoinv.models.config import DetailConfig, DiscriminatorConfig
from geoinv.models.local_branch import LocalBranch
from geoinv.training.engine.loop import train
from geoinv.training.engine.run import Run, Steps
from geoinv.training.losses.local import PatchSampling
from geoinv.training.losses.rays import SampleCounts
from geoinv.training.stages.local import LocalSettings, LocalStage, detail_config
from tests.tiny_models import tiny_anchored_config, tiny_details, write_tiny_anchored
from tests.training.conftest import write_shard


def test_short_run_ships_with_twins(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    model = write_tiny_anchored(tmp_path)
    heads = tmp_path / "heads"
    heads.mkdir()
    write_shard(heads, "00000", 0, twins=True, side=16, with_albedo=True)
    (heads / "dataset.json").write_text('{"twins": true, "face_views": 2}', encoding="utf-8")
    stage = LocalStage(
        Run(tmp_path / "run", Steps(3, look_every=3, checkpoint_every=3, log_every=1), 1e-3),
        data=heads,
        validation=heads,
        model=str(model),
        settings=LocalSettings(
            heads_per_step=2, twins=1.0, patch=PatchSampling(16, SampleCounts(4, 4)), adversarial_from=0.5
        ),
        config=tiny_details(tiny_anchored_config()).config,
        discriminator=DiscriminatorConfig(16, (8, 8, 8)),
    )
    best = train(stage)
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert {"hybrid_input_db", "hybrid_novel_db", "heldout_psnr_db"} <= set(lines[-1])
    (tmp_path / "tiny-anchored-details.safetensors").write_bytes(best.read_bytes())
    branch, _ = load_any_details(str(model))
    assert all(value.isfinite().all() for value in branch.state_dict().values())


def test_maps_as_large_as_pictures_have_one_level_more(tmp_path: Path) -> None:
    config = detail_config(load_generator_of_planes(str(write_tiny_anchored(tmp_path)))[0])
    assert (config.enlargement, config.side) == (1, 16)
    assert config.widths == (16, *DetailConfig.widths)
    assert config.aligner_widths == (16, *DetailConfig.aligner_widths)
    LocalBranch(config)  # of widths that it can have
