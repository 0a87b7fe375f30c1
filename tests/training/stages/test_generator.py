"""Training of the generator on discs: losses by hand, learning, resuming, files of a run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from geoinv.checkpoints.store import load_generator, sha256_of
from geoinv.errors import UsageError
from geoinv.models.config import GeneratorConfig
from geoinv.models.generator import RayOutput, TriPlaneGenerator
from geoinv.training.data.head_shards import HeadShards, RayBatch
from geoinv.training.engine.loop import train
from geoinv.training.engine.run import Run, Steps
from geoinv.training.losses.rays import twin_loss
from geoinv.training.stages.generator import GeneratorSettings, GeneratorStage, validate
from tests.tiny_models import tiny_config


def stage_of(
    discs: Path, out: Path, steps: int, *, config: GeneratorConfig | None = None, start: Path | None = None
) -> GeneratorStage:
    return GeneratorStage(
        Run(out, Steps(steps, look_every=4, checkpoint_every=2, log_every=2), GeneratorStage.usual.learning_rate),
        config or tiny_config(),
        data=discs,
        validation=discs,
        start=start,
        settings=GeneratorSettings(heads_per_step=4, views_per_head=2, rays_per_view=64),
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
    first = train(stage_of(twins, tmp_path / "first", 8))
    log = [json.loads(line) for line in (tmp_path / "first" / "log.jsonl").read_text().splitlines()]
    assert all("expression_share" in line for line in log if "heldout_psnr_db" in line)
    second = train(stage_of(twins, tmp_path / "second", 1, start=first))
    before, after = (load_generator(str(path))[0].state_dict() for path in (first, second))
    changes = [(after[name] - before[name]).abs().max().item() for name in before]
    assert 0.0 < max(changes) < 0.05  # one step from there
    with pytest.raises(UsageError, match="another network"):
        stage_of(twins, tmp_path / "third", 1, config=replace(tiny_config(), decoder_hidden=8), start=first)


def test_expression_share_of_a_generator_without_expression_is_zero(twins: Path, tmp_path: Path) -> None:
    generator = TriPlaneGenerator(tiny_config())
    for name, parameter in generator.named_parameters():
        if "mapping" in name:
            parameter.data.zero_()  # every z gives the same head
    assert validate(generator, HeadShards(twins), tmp_path / "sheet.png")["expression_share"] == 0.0


def test_resumes_and_leaves_its_files(discs: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    out = tmp_path / "run"
    best = train(stage_of(discs, out, 6))
    first = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    train(stage_of(discs, out, 10))
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert lines[: len(first)] == first
    assert torch.load(out / "state.pt", weights_only=True)["step"] == 10
    psnr = [line["heldout_psnr_db"] for line in lines if "heldout_psnr_db" in line]
    assert len(psnr) == 3  # after 4, 6 and 10 steps
    assert len(list(out.glob("samples_*.png"))) == 3
    generator, info = load_generator(str(best))
    assert info.extra["training"]["heldout_psnr_db"] == pytest.approx(max(psnr), abs=0.01)
    assert generator.w_avg.abs().sum() > 0


def test_weights_say_how_they_were_made(discs: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    (discs / "dataset.json").write_text('{"seed": 7, "heads": 12}', encoding="utf-8")
    best = train(stage_of(discs, tmp_path / "run", 2))
    record = load_generator(str(best))[1].extra["run"]
    assert record == json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["stage"] == "generator" and record["seed"] == 0
    assert record["settings"]["rays_per_view"] == 64
    assert record["network"]["decoder_hidden"] == tiny_config().decoder_hidden
    assert record["budget"] == {"unit": "steps", "total": 2, "look_every": 4, "checkpoint_every": 2, "log_every": 2}
    assert record["versions"]["torch"] == torch.__version__
    assert record["data"]["training"]["dataset_sha256"] == sha256_of(discs / "dataset.json")
    assert str(tmp_path) not in json.dumps(record)  # a header is public


def test_other_data_are_refused_but_grown_ones_are_not(discs: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    about = discs / "dataset.json"
    about.write_text('{"seed": 7, "heads": 12}', encoding="utf-8")
    train(stage_of(discs, tmp_path / "run", 2))
    about.write_text('{"seed": 7, "heads": 24}', encoding="utf-8")
    train(stage_of(discs, tmp_path / "run", 3))
    about.write_text('{"seed": 8, "heads": 24}', encoding="utf-8")
    with pytest.raises(UsageError, match=r"began with data.training.seed 7, not 8"):
        train(stage_of(discs, tmp_path / "run", 4))
