"""Training of a generator on the head mesh, in small: losses by hand, learning, resuming."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from geoinv.checkpoints.store import load_anchored_generator
from geoinv.errors import UsageError
from geoinv.models.anchored_generator import AnchoredGenerator
from geoinv.shape import HeadCodes, load_head_model
from geoinv.synth.look import LOOK_SIZE
from geoinv.training.data.head_shards import HeadShards, RayBatch
from geoinv.training.engine.loop import train
from geoinv.training.engine.run import Run, Steps
from geoinv.training.losses.lit_rays import lit_ray_losses
from geoinv.training.losses.on_mesh import LookLoss, ShapeLoss
from geoinv.training.losses.rays import SampleCounts
from geoinv.training.stages.anchored import AnchoredSettings, AnchoredStage, validate
from geoinv.training.stages.known_heads import KnownHeads, fit_known_heads
from tests.tiny_models import tiny_anchored_config
from tests.training.conftest import write_shard


def known_heads(count: int = 600) -> KnownHeads:
    """Heads whose first identity numbers, light and one number of the look follow from z."""
    random = torch.Generator().manual_seed(0)
    z = torch.randn(count, 8, generator=random)
    codes, light = torch.zeros(count, 150), torch.zeros(count, 9, 3)
    codes[:, :4], light[:, 0] = z[:, :4], 3.5 + 0.3 * z[:, 4:5]
    look = torch.zeros(count, LOOK_SIZE)
    look[:, 3] = (z[:, 5] > 0.0).float()
    return KnownHeads(z, codes, light, look)


def stage_of(heads: Path, out: Path, steps: int, *, start: Path | None = None) -> AnchoredStage:
    return AnchoredStage(
        Run(out, Steps(steps, look_every=4, checkpoint_every=2, log_every=2), 2e-3),
        tiny_anchored_config(),
        data=heads,
        validation=heads,
        start=start,
        settings=AnchoredSettings(
            known_steps=20, heads_per_step=2, views_per_head=1, rays_per_view=48, samples=SampleCounts(6, 6)
        ),
        known=known_heads(),
    )


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    folder = tmp_path / "heads"
    folder.mkdir()
    write_shard(folder, "00000", 0, with_albedo=True)
    return folder


def test_losses_hand_computed() -> None:
    """White light: the colour is the albedo plus gloss; one normal of two is turned by a right angle."""
    light = torch.zeros(1, 9, 3)
    light[:, 0] = 3.5449077
    directions = torch.tensor([[[0.0, 0.0, -1.0], [0.0, 0.0, -1.0]]])
    truth = torch.tensor([[[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]])
    batch = RayBatch(
        torch.zeros(1, 8), torch.zeros(1, 2, 3), directions, truth, torch.ones(1, 2), torch.ones(1, 2),
        normals=torch.tensor([[[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]]), albedo=truth - 0.1, light=light,
    )  # fmt: skip
    features = torch.tensor([[[0.4, 0.4, 0.4, 0.1, 0.0, 0.0, 2.0], [0.4, 0.4, 0.4, 0.0, 0.5, 0.0, 0.0]]])
    losses = lit_ray_losses(features, batch)
    assert losses["albedo"].item() == pytest.approx(0.0, abs=1e-8)
    assert losses["color"].item() == pytest.approx(0.01 / 2, rel=1e-3)
    assert losses["normal"].item() == pytest.approx(2.0 / 2)


def test_a_picture_that_clips_asks_for_no_less_than_white() -> None:
    light = torch.zeros(1, 9, 3)
    light[:, 0] = 3.5449077
    truth = torch.tensor([[[1.0, 0.5, 0.0], [0.0, 0.0, 0.0]]])
    batch = RayBatch(
        torch.zeros(1, 8), torch.zeros(1, 2, 3), torch.tensor([0.0, 0.0, -1.0]).expand(1, 2, 3), truth,
        torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0]]),
        normals=torch.tensor([0.0, 0.0, 1.0]).expand(1, 2, 3), albedo=truth, light=light,
    )  # fmt: skip
    features = torch.tensor([[[1.4, 0.5, 0.3, 0.0, 0.0, 0.0, 1.0], [0.6, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]]])
    losses = lit_ray_losses(features, batch)
    # too bright where white was clipped is right; 0.3 too much blue; what is seen beside the head is wrong
    assert losses["color"].item() == pytest.approx((0.3**2 + 0.6**2) / 6, rel=1e-3)


def test_shape_loss_is_that_of_vertices() -> None:
    model = load_head_model()
    random = torch.Generator().manual_seed(0)
    wanted, found = torch.randn(2, 4, 150, generator=random)
    wanted[:, 96:] = found[:, 96:]
    moved = torch.einsum("bi,ivc->bvc", (found - wanted)[:, :96], model.identity_basis)
    loss = ShapeLoss(model)(HeadCodes.from_vector(found), wanted)
    assert loss.item() == pytest.approx(moved.square().sum(dim=-1).mean().item(), rel=0.05)


def test_a_wrong_hue_costs_more_than_a_wrong_brightness() -> None:
    """Of colours that differ by 0.2 in brightness and by 0.05 in hue between heads, the same error of 0.05."""
    random = torch.Generator().manual_seed(0)
    grey = 0.2 * torch.randn(400, 1, generator=random)
    look = torch.cat(
        [torch.randn(400, 2, generator=random), grey + 0.05 * torch.randn(400, 3, generator=random)], dim=1
    )
    loss = LookLoss(look, (2,))
    brighter, redder = (look + 0.05 * torch.tensor(moved) for moved in ([0, 0, 1, 1, 1], [0, 0, 1, 0, 0]))
    assert loss(brighter, look).item() == pytest.approx(loss.of_numbers(brighter, look).item())
    assert loss(redder, look) > 1.5 * loss(brighter, look)
    assert loss(look, look).item() == 0.0


def test_shape_light_and_look_are_learned_from_z(tmp_path: Path, heads: Path) -> None:
    torch.set_num_threads(1)
    generator = AnchoredGenerator(tiny_anchored_config())
    before = fit_known_heads(generator, known_heads(), steps=1, seed=0)
    after = fit_known_heads(generator, known_heads(), steps=200, seed=0)
    for first, last in zip(before, after, strict=True):
        assert last < 0.6 * first


def test_what_is_known_is_kept_while_planes_are_painted(tmp_path: Path, heads: Path) -> None:
    torch.set_num_threads(1)
    stage = stage_of(heads, tmp_path / "run", 4)
    before = {name: value.clone() for name, value in stage.model.state_dict().items()}
    train(stage)
    changed = {name for name, value in stage.model.state_dict().items() if not torch.equal(value, before[name])}
    assert not any(
        name.startswith(("shape_head", "light_head", "look_head", "backbone.mapping.fc")) for name in changed
    )
    assert "tone.weight" in changed and "backbone.synthesis.mean_planes" in changed


def test_learns_resumes_and_its_weights_load(tmp_path: Path, heads: Path) -> None:
    torch.set_num_threads(1)
    out = tmp_path / "run"
    train(stage_of(heads, out, 4))
    best = train(stage_of(heads, out, 8))
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "heldout_psnr_db" in line] == [4, 8]
    losses = [line["albedo"] for line in lines if "albedo" in line]
    assert losses[-1] < losses[0]
    generator, info = load_anchored_generator(str(best))
    assert info.extra["training"]["steps"] in (4, 8)
    assert generator.w_avg.abs().sum() > 0
    assert len(list(out.glob("samples_*.png"))) == 2
    second = train(stage_of(heads, tmp_path / "second", 1, start=best))
    assert load_anchored_generator(str(second))[0].config == generator.config


def test_rejects_heads_without_albedo(tmp_path: Path, discs: Path) -> None:
    with pytest.raises(UsageError, match="no albedo"):
        stage_of(discs, tmp_path / "run", 1)


def test_rejects_heads_of_another_head_model(tmp_path: Path, heads: Path) -> None:
    (heads / "dataset.json").write_text('{"head_model_sha256": "0123456789abcdef"}', encoding="utf-8")
    with pytest.raises(UsageError, match="another head mesh model"):
        stage_of(heads, tmp_path / "run", 1)


def test_expressions_that_do_not_show_have_no_share(tmp_path: Path, twins: Path) -> None:
    torch.manual_seed(0)
    generator = AnchoredGenerator(tiny_anchored_config()).requires_grad_(False)
    for parameter in generator.backbone["mapping"].parameters():
        parameter.zero_()  # every z gives the same head
    found = validate(generator, HeadShards(twins), tmp_path / "sheet.png", count=2)
    assert found["expression_share"] == 0.0
    assert found["score"] == found["heldout_psnr_db"] == found["face_psnr_db"]
