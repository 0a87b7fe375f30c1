"""Two processes train one local branch on batches of their own, and end with the same weights."""

from __future__ import annotations

import dataclasses
import os
import socket
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as multiprocessing

from geoinv.models.discriminator_config import DiscriminatorConfig
from geoinv.training.engine.loop import train
from geoinv.training.engine.processes import joined_processes
from geoinv.training.engine.run import Run, Steps
from geoinv.training.losses.local import PatchSampling
from geoinv.training.stages.local import LocalSettings, LocalStage
from tests.tiny_models import tiny_details, write_tiny_weights

STEPS = 4


def _train(index: int, port: int, discs: Path, model: Path, out: Path) -> None:
    os.environ.update(WORLD_SIZE="2", RANK=str(index), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    run = Run(out / "run", Steps(STEPS, look_every=STEPS, checkpoint_every=STEPS, log_every=1), 1e-3)
    # features are aligned in one way alone, 3D or 2D: what the other way trains gets no gradient
    settings = LocalSettings(heads_per_step=1, patch=PatchSampling(16), adversarial_from=0.5, single_alignment=0.5)
    with joined_processes(run.device):
        stage = LocalStage(
            run,
            data=discs,
            validation=discs,
            model=str(model),
            settings=settings,
            config=dataclasses.replace(tiny_details().config, generator="tiny"),
            discriminator=DiscriminatorConfig(32, (8, 8, 8, 8)),
        )
        drawn = stage.batch(0)[0].photos
        train(stage)
    torch.save({"weights": stage.model.state_dict(), "drawn": drawn}, out / f"{index}.pt")


def test_two_processes_end_with_the_same_weights(discs: Path, tmp_path: Path) -> None:
    if not torch.distributed.is_available():
        pytest.skip("this torch has no distributed package")
    model = write_tiny_weights(tmp_path / "weights") / "mini-generator.safetensors"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    multiprocessing.spawn(_train, (port, discs, model, tmp_path), nprocs=2)
    first, second = (torch.load(tmp_path / f"{index}.pt", weights_only=True) for index in range(2))
    assert not torch.equal(first["drawn"], second["drawn"])
    for name, value in first["weights"].items():
        assert torch.equal(value, second["weights"][name]), name
    assert (tmp_path / "run" / "best.safetensors").exists()
