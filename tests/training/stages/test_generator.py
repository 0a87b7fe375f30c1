"""Training of the generator on discs: losses by hand, learning, resuming, files of a run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from geoinv.checkpoints.store import load_generator
from geoinv.errors import UsageError
from geoinv.models.generator import RayOutput, TriPlaneGenerator
from geoinv.training.data.head_shards import HeadShards, RayBatch
from geoinv.training.stages.generator import (
    GeneratorTraining,
    train_generator,
    twin_loss,
    validate,
)
from tests.tiny_models import tiny_config


def settings(discs: Path, out: Path, minutes: float) -> GeneratorTraining:
    return GeneratorTraining(
        data=discs,
        validation=discs,
        out=out,
        minutes=minutes,
        heads_per_step=4,
        views_per_head=2,
        rays_per_view=64,
        validate_every_minutes=minutes / 2,
    )


def test_twin_loss_sees_differences_alone() -> None:
    color = torch.rand(5, 4, 3)
    batch = RayBatch(
        torch.zeros(5, 1), torch.zeros(5, 4, 3), torch.zeros(5, 4, 3), color, torch.ones(5, 4), torch.ones(5, 4)
    )
    shared = torch.rand(4, 3)
    wrong_alike = color.clone()
    wrong_alike[:2] += shared  # both twins of the first pair
    wrong_alike[4] += 1.0  # no twin
    output = RayOutput(wrong_alike, batch.alpha, batch.distance, torch.zeros(5, 4, 1))
    assert twin_loss(output, batch, 2).item() == pytest.approx(0.0, abs=1e-10)
    same_face = color.clone()
    same_face[1] = color[0]
    output = RayOutput(same_face, batch.alpha, batch.distance, torch.zeros(5, 4, 1))
    expected = (color[0] - color[1]).square().mean().item() / 2
    assert twin_loss(output, batch, 2).item() == pytest.approx(expected)


def test_trains_on_twins_from_given_weights(twins: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    first = train_generator(tiny_config(), settings(twins, tmp_path / "first", 0.03))
    log = [json.loads(line) for line in (tmp_path / "first" / "log.jsonl").read_text().splitlines()]
    assert all("expression_share" in line for line in log if "heldout_psnr_db" in line)
    start = replace(settings(twins, tmp_path / "second", 1e-5), start=first)
    second = train_generator(tiny_config(), start)
    before, after = (load_generator(str(path))[0].w_avg for path in (first, second))
    assert torch.allclose(before, after, atol=0.05)  # one step does not undo them
    with pytest.raises(UsageError, match="another model"):
        train_generator(replace(tiny_config(), decoder_hidden=8), replace(start, out=tmp_path / "third"))


def test_expression_share_of_a_generator_without_expression_is_zero(twins: Path, tmp_path: Path) -> None:
    generator = TriPlaneGenerator(tiny_config())
    for name, parameter in generator.named_parameters():
        if "mapping" in name:
            parameter.data.zero_()  # every z gives the same head
    assert validate(generator, HeadShards(twins), tmp_path / "sheet.png")["expression_share"] == 0.0


def test_resumes_and_leaves_its_files(discs: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    out = tmp_path / "run"
    best = train_generator(tiny_config(), settings(discs, out, 0.06))
    first = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    state = torch.load(out / "state.pt", weights_only=True)
    train_generator(tiny_config(), settings(discs, out, 0.12))
    resumed = torch.load(out / "state.pt", weights_only=True)
    assert resumed["step"] > state["step"]
    assert resumed["seconds"] >= 0.12 * 60
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert lines[: len(first)] == first
    psnr = [line["heldout_psnr_db"] for line in lines if "heldout_psnr_db" in line]
    assert len(psnr) >= 3  # halfway, at the end, and at the resumed end
    assert list(out.glob("samples_*.png"))
    generator, info = load_generator(str(best))
    assert info.extra["training"]["heldout_psnr_db"] == pytest.approx(max(psnr), abs=0.01)
    assert generator.w_avg.abs().sum() > 0
