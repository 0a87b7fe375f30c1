"""Training of the encoder of a generator on the head mesh, in small."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from geoinv.checkpoints.store import load_any_encoder, load_encoder_file, save_model
from geoinv.errors import UsageError
from geoinv.models.anchored_generator import AnchoredGenerator
from geoinv.models.encoder import INPUT_SIZE, GlobalEncoder
from geoinv.models.encoder_config import EncoderConfig
from geoinv.models.on_mesh import OnMesh
from geoinv.shape import HeadCodes, load_head_model
from geoinv.training.data.head_shards import HeadShards
from geoinv.training.data.photo_batches import PhotoCounts, photo_batch
from geoinv.training.engine.loop import Report, train
from geoinv.training.engine.run import Run, Steps
from geoinv.training.losses.encoder_on_mesh import on_mesh_losses
from geoinv.training.losses.on_mesh import ShapeLoss
from geoinv.training.losses.rays import SampleCounts
from geoinv.training.stages.encoder import EncoderSettings, EncoderStage, encoder_config
from geoinv.training.stages.first_codes import FirstErrors, fit_first_codes
from tests.tiny_models import tiny_anchored_config, tiny_encoder_config
from tests.training.conftest import write_shard

COUNTS = PhotoCounts(photos=3, heads_rendered=2, faces=1, rays_per_view=16, landmark_sets=8)
SMALL = tiny_encoder_config(tiny_anchored_config())


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    folder = tmp_path / "heads"
    folder.mkdir()
    write_shard(folder, "00000", 0, with_albedo=True)
    (folder / "dataset.json").write_text('{"face_views": 2}', encoding="utf-8")
    return folder


@pytest.fixture
def generator_file(tmp_path: Path) -> Path:
    path = tmp_path / "disc-generator.safetensors"
    torch.manual_seed(0)
    save_model(path, AnchoredGenerator(tiny_anchored_config()), tiny_anchored_config())
    return path


def stage_of(
    heads: Path,
    out: Path,
    generator: Path,
    steps: int,
    *,
    start: Path | None = None,
    report: Report | None = None,
    more_heads: Path | None = None,
    **settings: bool,
) -> EncoderStage:
    return EncoderStage(
        Run(out, Steps(steps, look_every=4, checkpoint_every=4, log_every=1), EncoderStage.usual.learning_rate),
        data=heads,
        validation=heads,
        model=str(generator),
        start=start,
        settings=EncoderSettings(
            counts=COUNTS, codes_only=0.5, samples=SampleCounts(4, 4), first_photos=30, first_steps=60, **settings
        ),
        config=SMALL,
        report=report,
        more_heads=more_heads,
    )


def test_photos_show_faces_and_their_shapes_are_known(heads: Path) -> None:
    data = HeadShards(heads)
    batch = photo_batch(data, np.random.default_rng(0), replace(COUNTS, photos=12))
    assert batch.codes is not None and batch.codes.shape == (12, 150)
    assert batch.light is not None and batch.light.shape == (12, 9, 3)
    landmark_views = np.load(heads / "00000_cam2world.npy")[:, :2].reshape(-1, 16)
    again = batch.rays.origins.reshape(2, 2, 16, 3)[:, 0, 0]  # the first view is the photo's
    eyes = landmark_views.reshape(-1, 4, 4)[:, :3, 3]
    assert torch.cdist(again, torch.from_numpy(eyes)).amin(dim=1).max() < 1e-5


@pytest.fixture
def seen_once(tmp_path: Path) -> Path:
    folder = tmp_path / "seen-once"
    folder.mkdir()
    write_shard(folder, "00000", 5, with_albedo=True, views=1)
    return folder


def test_photos_that_are_not_rendered_may_be_of_other_heads(heads: Path, seen_once: Path) -> None:
    first, others = HeadShards(heads), HeadShards(seen_once)
    batch = photo_batch(first, np.random.default_rng(0), replace(COUNTS, photos=9), others=others)
    assert batch.images.shape[0] == 9 and batch.codes is not None and batch.codes.shape == (9, 150)
    known = [torch.from_numpy(np.load(folder / "00000_z.npy")) for folder in (heads, seen_once)]
    here, there = (torch.cdist(batch.z, z).amin(dim=1) == 0.0 for z in known)
    assert here.tolist() == [True] * 2 + [False] * 7 and there.tolist() == [False] * 2 + [True] * 7
    codes = torch.from_numpy(np.load(seen_once / "00000_codes.npy"))
    assert torch.cdist(batch.codes[2:], codes).amin(dim=1).max() == 0.0


def test_heads_seen_once_are_compared_in_the_photo_s_own_view(seen_once: Path) -> None:
    batch = photo_batch(HeadShards(seen_once), np.random.default_rng(0), COUNTS)
    origins = batch.rays.origins.reshape(2, 2, 16, 3)
    assert torch.equal(origins[:, 0], origins[:, 1])


def test_photos_of_some_heads_alone(seen_once: Path) -> None:
    """What tells how well first codes fit is of heads that they were not learned from."""
    z = torch.from_numpy(np.load(seen_once / "00000_z.npy"))
    batch = photo_batch(HeadShards(seen_once), np.random.default_rng(0), COUNTS, among=range(2, 5))
    assert sorted(torch.cdist(batch.z, z).argmin(dim=1).tolist()) == [2, 3, 4]


def test_run_with_more_heads_says_so(heads: Path, seen_once: Path, generator_file: Path, tmp_path: Path) -> None:
    stage = stage_of(heads, tmp_path / "run", generator_file, 2, more_heads=seen_once)
    assert stage.describe()["data"]["more_heads"]["views_per_head"] == 1
    terms = stage.losses(stage.batch(0), 0, 0.9)
    assert {"albedo", "shape", "painting"} <= set(terms)


def test_shape_and_light_errors_by_hand() -> None:
    encoder = GlobalEncoder(SMALL)
    true, found = torch.zeros(1, 150), torch.zeros(2, 150)
    found[0, 148] = 0.2  # gaze: two of its deviations, of 54 numbers
    light = torch.zeros(2, 9, 3)
    light[0, 0] = 1.0
    losses = on_mesh_losses(
        encoder,
        OnMesh(HeadCodes.from_vector(found), light),
        true,
        torch.zeros(1, 9, 3),
        ShapeLoss(load_head_model()),
    )
    assert losses["expression"].item() == pytest.approx(4.0 / 54.0)
    assert losses["light"].item() == pytest.approx(0.28209479**2)
    assert 0.0 < losses["shape"].item() < 0.5  # the eyes alone


def test_short_run_ships(heads: Path, generator_file: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    best = train(stage_of(heads, tmp_path / "run", generator_file, 4))
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert {"heldout_psnr_db", "camera_deg", "depth_mm", "shape_mm", "light_off", "score"} <= set(lines[-1])
    first, last = lines[0], next(line for line in reversed(lines) if "shape" in line)
    assert "albedo" not in first and "albedo" in last  # pictures join half way
    (tmp_path / "disc-encoder.safetensors").write_bytes(best.read_bytes())
    encoder, _ = load_any_encoder(str(generator_file))
    found = encoder(torch.zeros(1, 3, INPUT_SIZE, INPUT_SIZE))
    assert found.on_mesh is not None and found.on_mesh.is_finite
    assert float(found.on_mesh.light[0, 0, 0]) > 1.0  # about the generator's white light


def test_begins_at_the_mean_head_of_the_generator() -> None:
    torch.manual_seed(0)
    generator = AnchoredGenerator(tiny_anchored_config()).requires_grad_(False)
    config = encoder_config(generator)
    assert (config.shape_size, encoder_config(generator, "large").shape_size) == (150, 150)
    encoder = GlobalEncoder(SMALL)
    encoder.start_at(generator)
    mean = generator.on_mesh(generator.w_avg[None, None])
    assert torch.equal(encoder.shape_avg, mean.codes.as_vector()[0])
    assert torch.equal(encoder.light_avg, mean.light[0])


def test_older_files_have_no_shape(tmp_path: Path) -> None:
    values = asdict(replace(SMALL, shape_size=0))
    del values["shape_size"]
    assert EncoderConfig.from_dict(values).shape_size == 0
    plain = GlobalEncoder(EncoderConfig.from_dict(values))
    save_model(tmp_path / "old.safetensors", plain, plain.config)
    loaded, _ = load_encoder_file(tmp_path / "old.safetensors")
    assert loaded(torch.zeros(1, 3, INPUT_SIZE, INPUT_SIZE)).on_mesh is None


def test_rejects_what_makes_no_sense(heads: Path, discs: Path, generator_file: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="have a shape in any case"):
        stage_of(heads, tmp_path / "run", generator_file, 1, with_geometry=False)
    with pytest.raises(UsageError, match="no albedo"):
        stage_of(discs, tmp_path / "run", generator_file, 1)


def test_eyes_of_another_encoder_are_a_start(heads: Path, generator_file: Path, tmp_path: Path) -> None:
    """Landmarks, camera and features are taken over; codes, shape and light are learned from what they see."""
    torch.manual_seed(1)
    flat = GlobalEncoder(replace(SMALL, shape_size=0))
    save_model(tmp_path / "flat.safetensors", flat, flat.config)
    start, said = tmp_path / "flat.safetensors", list[str]()
    stage = stage_of(heads, tmp_path / "run", generator_file, 4, start=start, report=lambda _, text: said.append(text))
    known, _ = load_encoder_file(start)
    assert torch.equal(stage.model.pose[0].weight, known.pose[0].weight)
    assert torch.equal(stage.model.stem[0].weight, known.stem[0].weight)
    assert not torch.equal(stage.model.codes.weight, known.codes.weight)
    assert stage.model.light_avg.any()
    assert "look" in said[0] and "vertices" in said[0]
    at_first = stage.losses(stage.batch(0), 0, 0.0)
    assert "albedo" not in at_first and not at_first["landmarks"].requires_grad and at_first["painting"].requires_grad
    later = stage.losses(stage.batch(0), 0, 0.9)
    assert "albedo" in later and later["landmarks"].requires_grad
    wide = GlobalEncoder(replace(SMALL, shape_size=0, landmark_widths=(16, 24)))
    save_model(tmp_path / "wide.safetensors", wide, wide.config)
    with pytest.raises(UsageError, match="other widths"):
        stage_of(heads, tmp_path / "run", generator_file, 4, start=tmp_path / "wide.safetensors")


def test_first_codes_learn_from_what_eyes_see(heads: Path) -> None:
    """Random eyes see light, at least; and they stay as they are."""
    torch.set_num_threads(1)
    torch.manual_seed(2)
    generator = AnchoredGenerator(tiny_anchored_config()).requires_grad_(False)
    generator.set_painted_scale(generator.mapping(torch.randn(200, generator.config.z_dim))[:, 0])
    encoder = GlobalEncoder(SMALL)
    encoder.start_at(generator)
    eyes = encoder.stem[0].weight.clone()

    def left(steps: int) -> FirstErrors:
        return fit_first_codes(encoder, generator, HeadShards(heads), COUNTS, photos=60, steps=steps, seed=0)

    at_first = left(1).light
    assert left(600).light < 0.8 * at_first
    assert torch.equal(encoder.stem[0].weight, eyes)
