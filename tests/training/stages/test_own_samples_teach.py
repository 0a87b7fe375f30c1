"""What own samples teach: a generator of EG3D's kind gets an encoder and a local branch that know unseen heads.

Some ten minutes on one core; `docs/encoders.md` has the figures of such a run.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from geoinv.models.encoder_config import EncoderConfig
from geoinv.training.data.own_samples import OwnSettings
from geoinv.training.data.photo_batches import PhotoCounts
from geoinv.training.engine.loop import train
from geoinv.training.engine.run import Run, Steps
from geoinv.training.losses.local import PatchSampling
from geoinv.training.losses.rays import SampleCounts
from geoinv.training.stages.encoder import EncoderSettings, EncoderStage
from geoinv.training.stages.local import LocalSettings, LocalStage, detail_config
from tests.opaque_generator import opaque_config, opaque_generator, write_opaque_generator

ENCODER_STEPS, LOCAL_STEPS = 1000, 300


def last_metrics(run: Path) -> dict[str, float]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return lines[-1]  # type: ignore[no-any-return]


@pytest.mark.slow
def test_unseen_heads_are_known(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    model, shape = write_opaque_generator(tmp_path), opaque_config()
    config = EncoderConfig(
        "opaque",
        shape.num_ws,
        shape.w_dim,
        channels=(16, 32, 48, 64, 64),
        blocks=(1, 1, 1, 1, 1),
        hidden=128,
        landmark_widths=(16, 24, 32, 48),
    )
    counts = PhotoCounts(photos=10, heads_rendered=2, faces=1, rays_per_view=100)
    budget = Steps(ENCODER_STEPS, ENCODER_STEPS, ENCODER_STEPS, 50)
    encoder = EncoderStage(
        Run(tmp_path / "encoder", budget, 2e-3),
        data=OwnSettings(new_per_step=2, known=128),
        model=str(model),
        settings=EncoderSettings(counts=counts, shape_points=60, codes_only=0.6),
        config=config,
    )
    model.with_name("opaque-encoder.safetensors").write_bytes(train(encoder).read_bytes())
    metrics = last_metrics(tmp_path / "encoder")
    assert metrics["latent_ratio"] < 0.5
    assert metrics["camera_deg"] < 3.0
    assert metrics["heldout_psnr_db"] > metrics["mean_psnr_db"] + 2.0
    small = {"channels": 16, "widths": (16, 32, 48), "aligner_widths": (16, 24, 32), "hidden": 32}
    local = LocalStage(
        Run(tmp_path / "local", Steps(LOCAL_STEPS, LOCAL_STEPS, LOCAL_STEPS, 25), 3e-3),
        data=OwnSettings(new_per_step=2, known=64),
        model=str(model),
        settings=LocalSettings(2, patch=PatchSampling(32, SampleCounts(4, 8)), adversarial_from=2.0),
        config=dataclasses.replace(detail_config(opaque_generator()), **small),  # type: ignore[arg-type]
    )
    train(local)
    metrics = last_metrics(tmp_path / "local")
    assert metrics["hybrid_input_db"] > metrics["e0_input_db"] + 2.0
