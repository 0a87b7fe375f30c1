"""Training of the local branch on discs: what pairs know, what losses look at, and a short run to shippable weights."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from geoinv.camera import CameraPose
from geoinv.checkpoints.store import load_details, load_details_file, load_encoder, load_generator, sha256_of
from geoinv.conventions import FACE_ORBIT
from geoinv.errors import MissingDetailsError, UsageError
from geoinv.models.discriminator_config import DiscriminatorConfig
from geoinv.models.local_branch import LocalBranch
from geoinv.training.data.head_shards import HeadShards
from geoinv.training.data.view_pairs import ViewPairs, head_pairs
from geoinv.training.engine import processes
from geoinv.training.engine.loop import train
from geoinv.training.engine.run import Run, Steps
from geoinv.training.losses.local import (
    PatchSampling,
    local_losses,
    middle_pictures,
    query_heads,
    true_middles,
)
from geoinv.training.losses.rays import SampleCounts
from geoinv.training.stages.local import LocalSettings, LocalStage, alignment_of_step
from tests.tiny_models import tiny_details, write_tiny_weights
from tests.training.conftest import SIDE

PATCH = PatchSampling(16)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The tiny generator's file, its encoder and local branch beside it."""
    return write_tiny_weights(tmp_path / "weights") / "mini-generator.safetensors"


def stage_of(discs: Path, out: Path, model: Path, steps: int, *, start: Path | None = None) -> LocalStage:
    return LocalStage(
        Run(out, Steps(steps, look_every=4, checkpoint_every=4, log_every=2), LocalStage.usual.learning_rate),
        data=discs,
        validation=discs,
        model=str(model),
        start=start,
        settings=LocalSettings(heads_per_step=2, patch=PATCH, adversarial_from=0.0),
        config=dataclasses.replace(tiny_details().config, generator="tiny"),
        discriminator=DiscriminatorConfig(32, (8, 8, 8, 8)),
    )


def test_pairs_know_how_the_camera_moved(discs: Path) -> None:
    heads = HeadShards(discs)
    same = head_pairs(heads, np.random.default_rng(0), 2, same_view=True)
    assert same.moves.abs().max() < 1e-6
    pairs = head_pairs(heads, np.random.default_rng(0), 2, same_view=False)
    assert pairs.photos.shape == pairs.color.shape == (2, 3, SIDE, SIDE)
    assert pairs.moves.abs().max() > 0.01
    poses = CameraPose.from_cam2world(
        torch.from_numpy(np.load(discs / "00000_cam2world.npy")).flatten(0, 1).double(), FACE_ORBIT
    )
    vectors = poses.as_vector().float().reshape(-1, 3, 6)
    differences = {
        tuple(np.round((views[b] - views[a]).tolist(), 3)) for views in vectors for a in range(3) for b in range(3)
    }
    assert all(tuple(np.round(move.tolist(), 3)) in differences for move in pairs.moves)
    assert (pairs.color[pairs.mask.expand_as(pairs.color) == 0] == 0).all()  # discs have hard edges


def test_a_twins_query_is_an_edited_head(twins: Path, model: Path) -> None:
    heads = HeadShards(twins)
    pairs = head_pairs(heads, np.random.default_rng(0), 2, same_view=True, twins=True)
    assert pairs.moves.abs().max() < 1e-6
    assert pairs.z is not None and pairs.z.shape == (2, 2, 8)
    z = np.load(twins / "00000_z.npy")
    for first, second in pairs.z.numpy():
        index = int(np.flatnonzero((z == first).all(axis=1))[0])
        assert np.array_equal(z[index ^ 1], second)
    generator, encoder = load_generator(str(model))[0], load_encoder(str(model))[0]
    branch = tiny_details()
    edited = query_heads(encoder, generator, branch, pairs)
    plain = query_heads(encoder, generator, branch, dataclasses.replace(pairs, z=None))
    assert torch.equal(edited.head.source.color, plain.head.source.color)
    assert not torch.equal(edited.query.color, plain.query.color)
    same = torch.stack([pairs.z[:, 0], pairs.z[:, 0]], dim=1)
    again = query_heads(encoder, generator, branch, dataclasses.replace(pairs, z=same))
    assert torch.allclose(again.query.color, plain.query.color, atol=1e-4)


def test_losses_look_where_the_truth_is_known(discs: Path, model: Path) -> None:
    generator, encoder = load_generator(str(model))[0], load_encoder(str(model))[0]
    pairs = head_pairs(HeadShards(discs), np.random.default_rng(0), 2, same_view=True)
    branch = tiny_details()

    def losses(changed: ViewPairs) -> dict[str, torch.Tensor]:
        heads = query_heads(encoder, generator, branch, pairs)
        aligned = heads.head.features(heads.query)
        return local_losses(changed, heads, aligned, PATCH, np.random.default_rng(1))

    unknown = torch.where(pairs.mask.bool(), pairs.color, torch.rand_like(pairs.color))
    plain = losses(pairs)
    assert plain["color"] > 0.01
    for name, value in losses(dataclasses.replace(pairs, color=unknown)).items():
        assert torch.allclose(value, plain[name], atol=1e-6), name
    nothing = torch.zeros_like(pairs.mask)
    assert losses(dataclasses.replace(pairs, mask=nothing, outside=nothing))["color"] == 0.0
    kept = dataclasses.replace(pairs, mask=nothing, outside=torch.ones_like(nothing))
    assert losses(kept)["color"] > 0.01  # the branch paints on what is not the head
    branch = LocalBranch(branch.config)  # which paints nothing
    assert losses(kept)["color"] < 0.01


def test_the_discriminator_sees_pictures_that_can_be_compared(discs: Path, model: Path) -> None:
    """Where the truth is what the reconstruction shows already, real and made pictures are the same."""
    patch = PatchSampling(16, SampleCounts(24, 24, 0.015))
    generator, encoder = load_generator(str(model))[0], load_encoder(str(model))[0]
    pairs = head_pairs(HeadShards(discs), np.random.default_rng(0), 2, same_view=True)
    branch = LocalBranch(tiny_details().config)  # paints nothing
    head = query_heads(encoder, generator, branch, pairs)
    aligned = head.head.features(head.query)
    made, label = middle_pictures(head, aligned, patch, np.random.default_rng(1))
    shown = head.query.color / head.query.alpha.clamp_min(1e-3)
    truth = dataclasses.replace(pairs, color=shown, photos=shown, outside=torch.zeros_like(pairs.mask))
    for own_view in (True, False):
        real, real_label = true_middles(truth, head, patch, own_view=own_view)
        assert real.shape == made.shape == (2, 3, 32, 32)
        assert (real - made).abs().max() < 0.1
        assert torch.equal(real_label, label)


def test_short_run_ships_and_goes_on(discs: Path, model: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    best = train(stage_of(discs, tmp_path / "run", model, 4))
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert {"e0_input_db", "e0_novel_db", "hybrid_input_db", "hybrid_novel_db"} <= set(lines[-1])
    model.with_name("mini-details.safetensors").write_bytes(best.read_bytes())
    loaded, info = load_details(str(model))
    assert info.extra["encoder_sha256"] == sha256_of(model.with_name("mini-encoder.safetensors"))
    # the first step's learning rate is 0, so that the average moves with the second
    further, _ = load_details_file(train(stage_of(discs, tmp_path / "on", model, 2, start=best)))
    change = further.film[2].weight - loaded.film[2].weight
    assert 0.0 < change.abs().max() < 0.05  # a step or two from there


def test_alignments_are_drawn_alike_by_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each leaves other parts of the branch without a gradient: drawn apart, parts would learn from half of them."""
    drawn = [alignment_of_step(0, step, 0.15) for step in range(400)]
    assert {kind: drawn.count(kind) > 20 for kind in ("3d", "2d", "hybrid")} == dict.fromkeys(set(drawn), True)
    monkeypatch.setattr(processes.dist, "is_initialized", lambda: True)
    monkeypatch.setattr(processes.dist, "get_rank", lambda: 1)
    assert processes.rank() == 1
    assert [alignment_of_step(0, step, 0.15) for step in range(400)] == drawn


def test_heads_of_another_size_are_refused(discs: Path, model: Path, tmp_path: Path) -> None:
    for path in discs.glob("*_rgba.npy"):
        np.save(path, np.load(path)[:, :, ::2, ::2])
    for path in discs.glob("*_depth.npy"):
        np.save(path, np.load(path)[:, :, ::2, ::2])
    with pytest.raises(UsageError, match="are at 16 px"):
        stage_of(discs, tmp_path / "run", model, 1)


def test_a_branch_of_other_weights_is_refused(model: Path, tmp_path: Path) -> None:
    other = write_tiny_weights(tmp_path / "other", seed=1)
    (other / "mini-details.safetensors").write_bytes(model.with_name("mini-details.safetensors").read_bytes())
    with pytest.raises(MissingDetailsError, match="other weights"):
        load_details(str(other / "mini-generator.safetensors"))
