"""Training of the encoder on discs: what a batch knows, and a short run from start to shippable weights."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from geoinv.camera import CameraPose
from geoinv.checkpoints.store import load_encoder, load_encoder_file, load_generator, save_model, sha256_of
from geoinv.conventions import FACE_ORBIT
from geoinv.errors import UsageError
from geoinv.models.encoder import GlobalEncoder
from geoinv.models.generator import TriPlaneGenerator
from geoinv.models.latent_space import measure_latent_space
from geoinv.training.data.face_photos import FacePhotoBatch
from geoinv.training.data.head_shards import HeadShards
from geoinv.training.data.photo_batches import PhotoCounts, photo_batch
from geoinv.training.engine.loop import TrainingLoop, train
from geoinv.training.engine.run import Run, Steps
from geoinv.training.losses.encoder import camera_loss, encoder_losses, loss_weights, portrait_losses
from geoinv.training.losses.rays import SampleCounts
from geoinv.training.stages.encoder import EncoderSettings, EncoderStage
from tests.tiny_models import tiny_config, tiny_encoder_config
from tests.training.conftest import SIDE

COUNTS = PhotoCounts(photos=3, heads_rendered=2, rays_per_view=32)
SMALL = tiny_encoder_config(tiny_config())


@pytest.fixture
def generator_file(tmp_path: Path) -> Path:
    path = tmp_path / "disc-generator.safetensors"
    torch.manual_seed(0)
    save_model(path, TriPlaneGenerator(tiny_config()), tiny_config())
    return path


def stage_of(discs: Path, out: Path, generator: Path, steps: int, *, start: Path | None = None) -> EncoderStage:
    return EncoderStage(
        Run(out, Steps(steps, look_every=4, checkpoint_every=4, log_every=2), EncoderStage.usual.learning_rate),
        data=discs,
        validation=discs,
        model=str(generator),
        start=start,
        settings=EncoderSettings(counts=COUNTS),
        config=SMALL,
    )


def test_batch_knows_its_cameras(discs: Path, generator_file: Path) -> None:
    heads = HeadShards(discs)
    batch = photo_batch(heads, np.random.default_rng(0), COUNTS)
    assert batch.images.shape == (3, 3, SIDE, SIDE)
    assert batch.landmarks.shape == (3, 73, 2)
    assert batch.rays.z.shape[0] == 2
    assert torch.equal(batch.rays.z, batch.z[:2])
    true = {tuple(np.round(m.reshape(-1), 3)) for m in np.load(discs / "00000_cam2world.npy").reshape(-1, 4, 4)}
    again = CameraPose.from_vector(batch.camera).cam2world(FACE_ORBIT).reshape(3, 16).numpy()
    assert all(tuple(np.round(row, 3)) in true for row in again)


def test_without_geometry_nothing_tells_shapes(discs: Path, generator_file: Path) -> None:
    """Rays are of the photo's own view, and are sampled where the predicted head is, wherever the true one may be."""
    torch.manual_seed(0)
    generator, _ = load_generator(str(generator_file))
    encoder = GlobalEncoder(SMALL)
    batch = photo_batch(HeadShards(discs), np.random.default_rng(0), COUNTS, with_other_view=False)
    own = CameraPose.from_vector(batch.camera[:2]).cam2world(FACE_ORBIT)[:, None, :3, 3]
    assert torch.allclose(batch.rays.origins, own.expand_as(batch.rays.origins), atol=1e-4)
    elsewhere = dataclasses.replace(batch.rays, distance=batch.rays.distance * 0.9, normals=None)
    space = measure_latent_space(generator)
    first, second = (
        encoder_losses(
            encoder,
            generator,
            shown,
            space,
            torch.Generator().manual_seed(0),
            samples=SampleCounts(),
            shape_points=20,
            with_geometry=False,
            renders=True,
        )
        for shown in (batch, dataclasses.replace(batch, rays=elsewhere))
    )
    weights = loss_weights(with_geometry=False)
    assert {name: loss.item() for name, loss in first.items() if weights[name]} == {
        name: loss.item() for name, loss in second.items() if weights[name]
    }
    assert first["surface"] != second["surface"]  # which is predicted, and weighs nothing


def test_short_run_ships(discs: Path, generator_file: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    best = train(stage_of(discs, tmp_path / "run", generator_file, 4))
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert {"heldout_psnr_db", "camera_deg", "depth_mm", "score"} <= set(lines[-1])
    (tmp_path / "disc-encoder.safetensors").write_bytes(best.read_bytes())
    loaded, info = load_encoder(str(generator_file))
    assert info.extra["generator_sha256"] == sha256_of(generator_file)
    assert info.extra["run"]["base"] == {"generator": sha256_of(generator_file)}
    assert torch.isfinite(loaded.w_avg).all()
    # the first step's learning rate is 0, so that the average moves with the second
    on = stage_of(discs, tmp_path / "on", generator_file, 2, start=best)
    further, _ = load_encoder_file(train(on))
    change = further.codes.weight - loaded.codes.weight
    assert 0.0 < change.abs().max() < 0.05  # a step or two from there


def test_pictures_join_where_codes_are_learned_and_stay(discs: Path, generator_file: Path, tmp_path: Path) -> None:
    """By the place in the schedule, which a larger budget does not move back; from given weights at once."""
    stage = stage_of(discs, tmp_path / "run", generator_file, 4)
    photos = stage.batch(0)
    assert "color" not in stage.losses(photos, 0, 0.29)
    assert "color" in stage.losses(photos, 0, 0.3)
    best = train(stage)
    assert "color" in stage_of(discs, tmp_path / "on", generator_file, 4, start=best).losses(photos, 0, 0.0)
    loop = TrainingLoop(stage_of(discs, tmp_path / "run", generator_file, 40))
    assert loop.place == 1.0
    with pytest.raises(UsageError, match="began with start none, not "):
        TrainingLoop(stage_of(discs, tmp_path / "run", generator_file, 40, start=best))


def test_an_encoder_must_fit_the_codes(discs: Path, generator_file: Path, tmp_path: Path) -> None:
    run = Run(tmp_path, Steps(1, 1, 1, 1), 1e-3)
    other = dataclasses.replace(SMALL, w_dim=17)
    with pytest.raises(UsageError, match="codes of 17 numbers"):
        EncoderStage(run, data=discs, validation=discs, model=str(generator_file), config=other)


def test_portraits_teach_the_code_but_not_by_moving_the_camera(generator_file: Path) -> None:
    torch.manual_seed(0)
    generator, _ = load_generator(str(generator_file))
    encoder = GlobalEncoder(SMALL)
    batch = FacePhotoBatch(
        images=torch.rand(2, 3, 128, 128),
        camera=torch.zeros(2, 5),
        landmarks5=torch.full((2, 5, 2), 0.5),
        pixels=torch.rand(2, 9, 2),
        color=torch.rand(2, 9, 3),
        photos=torch.rand(2, 3, 128, 128),
        faces=torch.ones(2, 1, 128, 128),
        persons=torch.ones(2, 1, 128, 128),
        around=torch.rand(2, 7, 2),
        around_color=torch.rand(2, 7, 3),
        around_person=torch.ones(2, 7),
    )
    losses = portrait_losses(
        encoder,
        generator,
        batch,
        measure_latent_space(generator),
        torch.Generator().manual_seed(0),
        samples=SampleCounts(),
    )
    losses["portrait"].backward(retain_graph=True)
    assert encoder.codes.weight.grad is not None and encoder.codes.weight.grad.abs().sum() > 0
    assert not _moves_camera(encoder)
    for name in ("portrait_around", "portrait_outline"):
        encoder.zero_grad()
        losses[name].backward(retain_graph=True)
        assert encoder.codes.weight.grad.abs().sum() > 0 and not _moves_camera(encoder)
    losses["portrait_likeness"].backward(retain_graph=True)
    assert not _moves_camera(encoder)
    losses["portrait_camera"].backward(retain_graph=True)
    assert _moves_camera(encoder)


def test_cameras_are_compared_as_far_as_they_are_known() -> None:
    """Absolute from a tenth of the spread on; distance, the last number, is unknown of photos."""
    encoder = GlobalEncoder(SMALL)
    true = torch.zeros(1, 6)
    predicted = true + encoder.pose_scale * torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0, 2.0])
    camera = CameraPose.from_vector(predicted)
    assert camera_loss(encoder, camera, true).item() == pytest.approx((0.95 + 1.95) / 6)
    assert camera_loss(encoder, camera, true[:, :5]).item() == pytest.approx(0.95 / 5)


def _moves_camera(encoder: GlobalEncoder) -> bool:
    return any(p.grad is not None for p in [*encoder.pose.parameters(), *encoder.landmarks.parameters()])
