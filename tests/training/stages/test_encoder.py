"""Training of the encoder on discs: what a batch knows, and a short run from start to shippable weights."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from geoinv.checkpoints.store import load_encoder, load_encoder_file, load_generator, save_model, sha256_of
from geoinv.models.config import EncoderConfig
from geoinv.models.generator import TriPlaneGenerator
from geoinv.models.latent_space import measure_latent_space
from geoinv.training.data.face_photos import FacePhotoBatch
from geoinv.training.data.head_shards import HeadShards
from geoinv.training.stages import encoder as training
from geoinv.training.stages.encoder import EncoderTraining, photo_batch, train_encoder
from tests.tiny_models import tiny_config
from tests.training.conftest import SIDE

SMALL = EncoderConfig("", 0, 0, channels=(8, 8, 8, 8, 8), blocks=(1, 1, 1, 1, 1), hidden=16, landmark_widths=(16, 16))


@pytest.fixture
def generator_file(tmp_path: Path) -> Path:
    path = tmp_path / "disc-generator.safetensors"
    torch.manual_seed(0)
    save_model(path, TriPlaneGenerator(tiny_config()), tiny_config())
    return path


def settings(discs: Path, out: Path, generator: Path) -> EncoderTraining:
    return EncoderTraining(
        data=discs,
        validation=discs,
        out=out,
        minutes=0.05,
        generator=str(generator),
        photos_per_step=4,
        heads_rendered=2,
        samples_per_step=1,
        rays_per_view=32,
    )


def test_batch_knows_its_cameras(discs: Path, generator_file: Path) -> None:
    heads = HeadShards(discs)
    batch = photo_batch(heads, np.random.default_rng(0), settings(discs, discs, generator_file))
    assert batch.images.shape == (3, 3, SIDE, SIDE)
    assert batch.landmarks.shape == (3, 73, 2)
    assert batch.rays.z.shape[0] == 2
    assert torch.equal(batch.rays.z, batch.z[:2])
    true = {tuple(np.round(m.reshape(-1), 3)) for m in np.load(discs / "00000_cam2world.npy").reshape(-1, 4, 4)}
    again = training.CameraPose.from_vector(batch.camera).cam2world().reshape(3, 16).numpy()
    assert all(tuple(np.round(row, 3)) in true for row in again)


def test_without_geometry_nothing_tells_shapes(discs: Path, generator_file: Path) -> None:
    """Rays are of the photo's own view, and are sampled where the predicted head is, wherever the true one may be."""
    torch.manual_seed(0)
    generator, _ = load_generator(str(generator_file))
    encoder = training.GlobalEncoder(dataclasses.replace(SMALL, num_ws=generator.config.num_ws, w_dim=16))
    config = dataclasses.replace(settings(discs, discs, generator_file), with_geometry=False)
    batch = photo_batch(HeadShards(discs), np.random.default_rng(0), config)
    own = training.CameraPose.from_vector(batch.camera[:2]).cam2world()[:, None, :3, 3]
    assert torch.allclose(batch.rays.origins, own.expand_as(batch.rays.origins), atol=1e-4)
    elsewhere = dataclasses.replace(batch.rays, distance=batch.rays.distance * 0.9, normals=None)
    space = measure_latent_space(generator)
    first, second = (
        training.encoder_losses(
            encoder, generator, shown, space, config, torch.Generator().manual_seed(0), renders=True
        )
        for shown in (batch, dataclasses.replace(batch, rays=elsewhere))
    )
    weights = training.loss_weights(config)
    assert {name: loss.item() for name, loss in first.items() if weights[name]} == {
        name: loss.item() for name, loss in second.items() if weights[name]
    }
    assert first["surface"] != second["surface"]  # which is told, and weighs nothing


def test_short_run_ships(discs: Path, generator_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(
        training,
        "EncoderConfig",
        lambda name, num_ws, w_dim: dataclasses.replace(SMALL, generator=name, num_ws=num_ws, w_dim=w_dim),
    )
    best = train_encoder(settings(discs, tmp_path / "run", generator_file))
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert {"heldout_psnr_db", "camera_deg", "depth_mm", "score"} <= set(lines[-1])
    (tmp_path / "disc-encoder.safetensors").write_bytes(best.read_bytes())
    loaded, info = load_encoder(str(generator_file))
    assert info.extra["generator_sha256"] == sha256_of(generator_file)
    assert torch.isfinite(loaded.w_avg).all()
    on = dataclasses.replace(settings(discs, tmp_path / "on", generator_file), start=best, minutes=1e-5)
    further, _ = load_encoder_file(train_encoder(on))
    change = further.codes.weight - loaded.codes.weight
    assert change.abs().max() < 0.05  # a step or two from there


def test_portraits_teach_the_code_but_not_by_moving_the_camera(generator_file: Path) -> None:
    torch.manual_seed(0)
    generator, _ = load_generator(str(generator_file))
    encoder = training.GlobalEncoder(dataclasses.replace(SMALL, num_ws=generator.config.num_ws, w_dim=16))
    batch = FacePhotoBatch(
        images=torch.rand(2, 3, 128, 128),
        camera=torch.zeros(2, 5),
        landmarks5=torch.full((2, 5, 2), 0.5),
        pixels=torch.rand(2, 9, 2),
        color=torch.rand(2, 9, 3),
        photos=torch.rand(2, 3, 128, 128),
        faces=torch.ones(2, 1, 128, 128),
        persons=torch.ones(2, 1, 128, 128),
    )
    settings_ = settings(Path("."), Path("."), generator_file)
    losses = training.portrait_losses(
        encoder, generator, batch, measure_latent_space(generator), settings_, torch.Generator().manual_seed(0)
    )
    losses["portrait"].backward(retain_graph=True)
    assert encoder.codes.weight.grad is not None and encoder.codes.weight.grad.abs().sum() > 0
    assert not _moves_camera(encoder)
    losses["portrait_likeness"].backward(retain_graph=True)
    assert not _moves_camera(encoder)
    losses["portrait_camera"].backward(retain_graph=True)
    assert _moves_camera(encoder)


def test_cameras_are_compared_as_far_as_they_are_known() -> None:
    """Absolute from a tenth of the spread on; distance, the last number, is unknown of photos."""
    encoder = training.GlobalEncoder(dataclasses.replace(SMALL, num_ws=1, w_dim=1))
    true = torch.zeros(1, 6)
    told = true + encoder.pose_scale * torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0, 2.0])
    camera = training.CameraPose.from_vector(told)
    assert training.camera_loss(encoder, camera, true).item() == pytest.approx((0.95 + 1.95) / 6)
    assert training.camera_loss(encoder, camera, true[:, :5]).item() == pytest.approx(0.95 / 5)


def _moves_camera(encoder: training.GlobalEncoder) -> bool:
    return any(p.grad is not None for p in [*encoder.pose.parameters(), *encoder.landmarks.parameters()])
