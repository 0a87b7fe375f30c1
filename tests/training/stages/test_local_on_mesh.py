"""Training of the local branch of a generator on the head mesh, in small."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from geoinv.checkpoints.store import load_any_details, load_generator_of_planes
from geoinv.errors import UsageError
from geoinv.models.discriminator_config import DiscriminatorConfig
from geoinv.models.local_branch import LocalBranch
from geoinv.training.engine.loop import train
from geoinv.training.engine.run import Run, Steps
from geoinv.training.losses.local import PatchSampling
from geoinv.training.losses.rays import SampleCounts
from geoinv.training.stages.local import LocalSettings, LocalStage, as_started, detail_config
from tests.tiny_models import tiny_anchored_config, tiny_config, tiny_details, write_tiny_anchored
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


def test_networks_of_half_the_side_make_a_feature_for_every_pixel(tmp_path: Path) -> None:
    config = detail_config(load_generator_of_planes(str(write_tiny_anchored(tmp_path)))[0])
    assert (config.enlargement, config.finer, config.side) == (2, 2, 16)
    torch.manual_seed(0)
    encoder = LocalBranch(config).encoder
    residual, depth = torch.randn(1, 3, 16, 16), torch.full((1, 1, 16, 16), 2.7)
    features = encoder(residual, depth)
    assert features.shape == (1, config.channels, 16, 16)
    assert (features[..., ::2, ::2] - features[..., 1::2, 1::2]).abs().max() > 1e-3  # not one for four pixels
    depth[..., ::2, ::2] = 2.8  # read at the networks' own side
    assert not torch.equal(encoder(residual, depth), features)


def test_can_begin_with_the_branch_of_another_generator() -> None:
    """It sees as that does, and adds nothing yet."""
    torch.manual_seed(0)
    flat = tiny_details(tiny_config())
    torch.nn.init.normal_(flat.film[-1].weight)
    config = replace(flat.config, generator="other", decoder_hidden=2 * flat.config.decoder_hidden, finer=2)
    branch = as_started(flat, config)
    residual, depth = torch.randn(1, 3, 16, 16), torch.full((1, 1, 8, 8), 2.7)
    coarse = flat.encoder(residual, depth)
    assert torch.allclose(branch.encoder(residual, depth), coarse.repeat_interleave(2, -1).repeat_interleave(2, -2))
    assert not branch.film[-1].weight.any() and branch.film[-1].out_features == 2 * config.decoder_hidden
    with pytest.raises(UsageError, match="other widths"):
        as_started(flat, replace(config, channels=2 * config.channels))
    with pytest.raises(UsageError, match="other widths"):
        as_started(flat, replace(config, widths=(*config.widths, 16)))
