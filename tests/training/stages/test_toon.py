"""Training of toons: it learns, only what paints changes, and the file holds no more than that."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from geoinv.checkpoints.store import load_any_generator, load_sibling, save_model
from geoinv.errors import UsageError
from geoinv.models.anchored_generator import AnchoredGenerator
from geoinv.models.generator import TriPlaneGenerator
from geoinv.training.engine.loop import train
from geoinv.training.engine.run import Run, Steps
from geoinv.training.stages.toon import TOON, ToonSettings, ToonStage
from tests.tiny_models import tiny_anchored_config, tiny_config


@pytest.fixture
def model(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "head-generator.safetensors"
    save_model(path, AnchoredGenerator(tiny_anchored_config()), tiny_anchored_config())
    return path


def stage_of(model: Path, out: Path, steps: int = 2) -> ToonStage:
    settings = ToonSettings(rays_per_view=40, held_out=2)
    return ToonStage(Run(out, Steps(steps, steps, steps, steps), 2e-2), model=str(model), settings=settings)


def test_it_learns_and_changes_what_paints_alone(model: Path, tmp_path: Path) -> None:
    path = train(stage_of(model, tmp_path / "run", 12))
    (tmp_path / "toon-generator.safetensors").write_bytes(path.read_bytes())  # beside the generator that it changes
    base = load_any_generator(str(model))[0]
    toon, info = load_sibling(str(tmp_path / "toon-generator.safetensors"), base.config, "head")
    training = info.extra["training"]
    assert training["heldout_psnr_db"] > training["untrained_psnr_db"] + 1.0
    before = base.state_dict()
    changed = {name for name, value in toon.state_dict().items() if not torch.equal(value, before[name])}
    with safe_open(path, framework="pt") as file:
        assert changed and changed <= set(file.keys())
    assert all(name.startswith(("decoder.", "backbone.synthesis.b8.")) for name in changed)
    assert not any("blended.maps" in name for name in changed)  # they would make the file six times as large
    assert list((tmp_path / "run").glob("samples_*.png"))


def test_its_heads_have_its_proportions(model: Path, tmp_path: Path) -> None:
    """Whatever the shape code: it may be a photo's."""
    path = train(stage_of(model, tmp_path / "run", 1))
    (tmp_path / "toon-generator.safetensors").write_bytes(path.read_bytes())
    toon = load_any_generator(str(tmp_path / "toon-generator.safetensors"))[0]
    assert isinstance(toon, AnchoredGenerator) and toon.config.proportions == TOON
    head_model = toon.anchor.model
    codes = head_model.mean_codes()
    both = head_model.vertices(codes), toon.vertices(codes)
    eyes = [head_model.landmarks68.on(vertices)[0, 36:42, 1] for vertices in both]
    opened = [(eye.max() - eye.min()).item() for eye in eyes]
    assert opened[1] > 1.4 * opened[0]


def test_a_toon_is_the_same_for_a_seed(model: Path, tmp_path: Path) -> None:
    first, second = (load_file(train(stage_of(model, tmp_path / name))) for name in "ab")
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_refuses_a_generator_that_is_not_on_the_head_mesh(tmp_path: Path) -> None:
    save_model(tmp_path / "flat.safetensors", TriPlaneGenerator(tiny_config()), tiny_config())
    with pytest.raises(UsageError, match="is not on the head mesh"):
        stage_of(tmp_path / "flat.safetensors", tmp_path / "run")
