"""Encoder and local branch of a generator of EG3D's kind, trained on its own samples alone."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from geoinv.checkpoints.store import load_details, load_encoder, save_model, sha256_of
from geoinv.errors import UsageError
from geoinv.models.encoder import GlobalEncoder
from geoinv.models.encoder_config import EncoderConfig, large_encoder
from geoinv.session import Session
from geoinv.training.data.own_samples import OwnSettings
from geoinv.training.data.photo_batches import PhotoCounts
from geoinv.training.engine.loop import TrainingLoop, train
from geoinv.training.engine.run import Run, Steps
from geoinv.training.losses.local import PatchSampling
from geoinv.training.losses.rays import SampleCounts
from geoinv.training.stages.encoder import EncoderSettings, EncoderStage
from geoinv.training.stages.local import LocalSettings, LocalStage, detail_config
from geoinv.training.stages.own_stages import OwnSizes, OwnStages, train_own
from tests.opaque_generator import OTHER_ORBIT, opaque_config, opaque_generator, write_opaque_generator
from tests.tiny_models import tiny_encoder_config

SHAPE = opaque_config()
SMALL = tiny_encoder_config(SHAPE)
FEW = OwnSettings(new_per_step=2, known=6, held_out=2)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_opaque_generator(tmp_path, orbit=OTHER_ORBIT)


def run_of(out: Path, steps: int, *, accumulate: int = 1) -> Run:
    return Run(out, Steps(steps, look_every=2, checkpoint_every=1, log_every=1), 1e-3, accumulate=accumulate)


def encoder_stage(run: Run, model: Path, *, more_heads: Path | None = None) -> EncoderStage:
    counts = PhotoCounts(photos=3, heads_rendered=1, faces=1, rays_per_view=16, landmark_sets=8)
    settings = EncoderSettings(counts=counts, codes_only=0.3, samples=SampleCounts(4, 4), shape_points=8)
    return EncoderStage(run, data=FEW, model=str(model), settings=settings, config=SMALL, more_heads=more_heads)


def write_encoder(model: Path) -> Path:
    path = model.with_name("opaque-encoder.safetensors")
    torch.manual_seed(0)
    encoder = GlobalEncoder(SMALL)
    encoder.w_avg.copy_(opaque_generator(orbit=OTHER_ORBIT).w_avg)
    save_model(path, encoder, SMALL, {"generator_sha256": sha256_of(model)})
    return path


def local_stage(run: Run, model: Path) -> LocalStage:
    config = detail_config(opaque_generator(orbit=OTHER_ORBIT))
    small = dataclasses.replace(config, channels=8, widths=(8, 8), aligner_widths=(8, 8), hidden=8)
    settings = LocalSettings(heads_per_step=2, patch=PatchSampling(16, SampleCounts(4, 4)), adversarial_from=0.5)
    return LocalStage(run, data=FEW, model=str(model), settings=settings, config=small)


class Killed(Exception):
    """As a signal would."""


@pytest.mark.parametrize("make", [encoder_stage, local_stage])
def test_a_killed_run_goes_on_as_if_it_had_not_been(make, model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    torch.set_num_threads(1)
    write_encoder(model)
    whole = train(make(run_of(tmp_path / "whole", 3), model))

    def kill(progress: float, text: str) -> None:
        if progress >= 0.5:
            raise Killed

    with pytest.raises(Killed):
        train(make(run_of(tmp_path / "killed", 3), model), kill)
    loop = TrainingLoop(make(run_of(tmp_path / "killed", 3), model))
    assert 0 < loop.step < 3
    first, second = load_file(whole), load_file(train(loop.stage))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_every_loss_of_the_paper_is_there(model: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    stage = encoder_stage(run_of(tmp_path / "run", 2), model)
    losses = stage.losses(stage.batch(0), 0, 1.0)
    image = {"color", "picture", "likeness", "perceptual"}
    shape = {"alpha", "depth", "surface", "density", "normals", "planes"}
    assert image | shape | {"latent", "camera"} <= set(losses)
    for name in ("picture", "perceptual", "planes"):
        stage.model.zero_grad(set_to_none=True)
        losses[name].backward(retain_graph=True)
        assert stage.model.codes.weight.grad is not None and stage.model.codes.weight.grad.abs().sum() > 0.0, name


def test_the_truth_costs_nothing(model: Path, tmp_path: Path) -> None:
    """An encoder that gives the code that made the picture is right by every measure."""
    torch.set_num_threads(1)
    stage = encoder_stage(run_of(tmp_path / "run", 2), model)
    batch, encoder = stage.batch(0), stage.model
    known = batch[0].z[:, None].expand(-1, SHAPE.num_ws, -1)

    class Knowing(torch.nn.Module):
        pose_scale = encoder.pose_scale

        def camera_of(self, landmarks: torch.Tensor):  # type: ignore[no-untyped-def]
            return encoder.camera_of(landmarks)

        def forward(self, images: torch.Tensor):  # type: ignore[no-untyped-def]
            made = encoder(images)
            return dataclasses.replace(made, w_plus=known.clone())

    stage.model = Knowing()  # type: ignore[assignment]
    losses = stage.losses(batch, 0, 1.0)
    assert losses["latent"] < 1e-10
    assert losses["planes"] < 1e-8 and losses["density"] < 1e-8
    assert losses["color"] < 0.01 and losses["picture"] < 0.01


def test_a_run_ships_both_and_inverts(model: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    best = train(encoder_stage(run_of(tmp_path / "encoder", 2), model))
    lines = [json.loads(line) for line in (tmp_path / "encoder" / "log.jsonl").read_text().splitlines()]
    assert {"latent_ratio", "camera_deg", "heldout_psnr_db", "mean_psnr_db", "depth_mm"} <= set(lines[-1])
    model.with_name("opaque-encoder.safetensors").write_bytes(best.read_bytes())
    details = train(local_stage(run_of(tmp_path / "local", 2), model))
    model.with_name("opaque-details.safetensors").write_bytes(details.read_bytes())
    encoder, branch = load_encoder(str(model))[0], load_details(str(model))[0]
    assert torch.equal(encoder.w_avg.half(), opaque_generator(orbit=OTHER_ORBIT).w_avg.half())
    assert branch.config.enlargement == 4 and branch.config.radius == OTHER_ORBIT.radius


def test_all_parts_make_a_model(model: Path, tmp_path: Path) -> None:
    """Encoder and local branch beside a copy of their generator; made again, all is there already."""
    torch.set_num_threads(1)
    counts = PhotoCounts(photos=2, heads_rendered=1, faces=1, rays_per_view=8, landmark_sets=4)
    encoder, local = encoder_stage(run_of(tmp_path / "e", 1), model), LocalSettings(2, patch=PatchSampling(16))
    details = dataclasses.replace(
        detail_config(opaque_generator(orbit=OTHER_ORBIT)), channels=8, widths=(8, 8), aligner_widths=(8, 8), hidden=8
    )
    sizes = OwnSizes(encoder.config, details, EncoderSettings(counts), local, Steps(1, 1, 1, 1))
    lines: list[str] = []
    settings = OwnStages(tmp_path / "all", 1.0, str(model), FEW, sizes=sizes)
    weights = train_own(settings, lines.append)
    names = ["details", "encoder", "generator"]
    assert sorted(path.name for path in weights.iterdir()) == [f"opaque-{name}.safetensors" for name in names]
    session = Session(str(settings.shipped("generator")), device="cpu")
    assert session.local_branch.config == details and session.encoder.config == encoder.config
    before = [sha256_of(path) for path in sorted(weights.iterdir())]
    train_own(settings)
    assert before == [sha256_of(path) for path in sorted(weights.iterdir())]
    assert any("local: done" in line for line in lines)


def test_batches_may_be_accumulated(model: Path, tmp_path: Path) -> None:
    """The mean gradient of two batches, which a run without does not make."""
    torch.set_num_threads(1)
    loop = TrainingLoop(encoder_stage(run_of(tmp_path / "two", 1, accumulate=2), model))
    stage = encoder_stage(run_of(tmp_path / "by-hand", 1), model)
    for part in (0, 1):
        losses = stage.losses(stage.batch(part), part, 0.0)
        (sum(stage.loss_weights[name] * loss for name, loss in losses.items()) / 2.0).backward()  # type: ignore[union-attr]
    loop._one_step(loop.stage.batch(0), loop.stage.batch(1))
    assert loop.step == 1
    norm = torch.nn.utils.clip_grad_norm_(stage.model.parameters(), 1.0)
    assert norm > 0.0
    for own, other in zip(stage.model.parameters(), loop.stage.model.parameters(), strict=True):
        if own.grad is not None:
            assert other.grad is not None
            assert torch.allclose(own.grad, other.grad, atol=1e-5)
    with pytest.raises(UsageError, match="accumulate"):
        train(encoder_stage(run_of(tmp_path / "two", 2, accumulate=2), model))
        train(encoder_stage(run_of(tmp_path / "two", 4), model))


def test_has_no_more_heads_beside_its_samples(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no more heads"):
        encoder_stage(run_of(tmp_path / "run", 1), model, more_heads=tmp_path)


def test_a_large_encoder_makes_the_same_kind_of_result() -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(
        large_encoder("opaque", 9, 16),
        channels=(8, 8, 16, 16),
        blocks=(1, 1, 2, 1),
        hidden=16,
        landmark_widths=(16, 16),
    )
    encoder = GlobalEncoder(config)
    pictures = torch.rand(2, 3, 256, 256) * 2.0 - 1.0
    made = encoder(pictures)
    assert made.w_plus.shape == (2, 9, 16) and made.camera.as_vector().shape == (2, 6)
    made.w_plus.square().sum().backward()
    assert all(p.grad is not None for p in encoder.pyramid.parameters())
    again = EncoderConfig.from_dict(json.loads(json.dumps(dataclasses.asdict(config))))
    assert again == config
