"""Expressions, shapes and lights of heads on the head mesh, on a tiny random generator."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import geoinv
from geoinv import notices
from geoinv.checkpoints.store import load_anchored_generator
from geoinv.cli.app import run
from geoinv.editing import Directions, discover_directions, read_directions, save_directions, visible_directions
from geoinv.editing.expressions import moved
from geoinv.errors import CheckpointError, UsageError
from geoinv.inversion import Inversion
from geoinv.models.on_mesh import OnMesh
from geoinv.session import Session
from geoinv.shape import ARKIT_UNITS, HeadCodes
from tests.tiny_models import write_tiny_anchored

JAW = ARKIT_UNITS.index("jawOpen")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_anchored(tmp_path_factory.mktemp("weights")))


def test_who_smiles_already_does_not_smile_twice() -> None:
    smile, jaw = (ARKIT_UNITS.index(name) for name in ("mouthSmileLeft", "jawOpen"))
    codes = HeadCodes.zeros(96)
    step = torch.zeros(1, 52)
    step[0, smile], step[0, jaw] = 0.9, 0.1
    move = OnMesh(replace(codes, expression=step), torch.zeros(1, 9, 3))
    directions = Directions({"smile": torch.zeros(2, 8)}, {"smile": "smiles"}, "0" * 64, {"smile": move})
    for before, after in ((0.0, 0.9), (0.5, 1.0), (1.3, 1.3)):
        expression = torch.zeros(1, 52)
        expression[0, smile] = before
        shown = moved(OnMesh(replace(codes, expression=expression), move.light), directions, {"smile": 1.0})
        assert shown.codes.expression[0, smile] == pytest.approx(after)
        assert shown.codes.expression[0, jaw] == pytest.approx(0.1)


@pytest.fixture(scope="module")
def session(model: str) -> Session:
    return geoinv.load(model)


def inversion_of(session: Session) -> Inversion:
    generator = session.generator
    light = torch.zeros(1, 9, 3)
    light[:, 0] = 3.0
    return Inversion(
        w_plus=generator.w_avg[None, None].repeat(1, generator.config.num_ws, 1),
        camera=torch.zeros(6),
        photo=np.zeros((512, 512, 3), np.uint8),
        crop=np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
        source="me.jpg",
        source_size=(512, 512),
        generator=session.info.name,
        generator_sha256=session.info.sha256,
        on_mesh=OnMesh(HeadCodes.zeros(96), light),
    )


def test_all_units_by_name_in_any_case(session: Session) -> None:
    with notices.collect():
        assert set(ARKIT_UNITS) <= set(session.directions.names)
    before = inversion_of(session)
    after = session.edit(before, {"jawopen": 0.6})
    assert after.on_mesh is not None and before.on_mesh is not None
    assert float(after.on_mesh.codes.expression[0, JAW]) == pytest.approx(0.6)
    assert torch.equal(after.on_mesh.light, before.on_mesh.light)
    depth = (session.render(after).depth - session.render(before).depth).abs()
    assert float(depth.max()) > 0.01  # the chin moved
    back = session.edit(after, {"jawOpen": -0.6})
    assert back.on_mesh is not None
    torch.testing.assert_close(back.on_mesh.codes.as_vector(), before.on_mesh.codes.as_vector())
    torch.testing.assert_close(back.w_plus, before.w_plus)


def test_units_stay_between_rest_and_the_full_movement(session: Session) -> None:
    heard: list[str] = []
    with notices.collect(show=heard.append):
        most = session.edit(inversion_of(session), {"jawOpen": 5.0})
        least = session.edit(inversion_of(session), {"jawOpen": -1.0})
    assert most.edits == {"jawOpen": 1.2} and least.edits == {"jawOpen": 0.0}
    assert len(heard) == 2 and "beyond the full movement" in heard[0]
    with pytest.raises(UsageError, match="finite"):
        session.edit(inversion_of(session), {"jawOpen": float("nan")})
    with pytest.raises(UsageError, match="unknown attribute"):
        session.edit(inversion_of(session), {"jawOpened": 1.0})


def test_units_move_the_shape_and_leave_the_code(session: Session) -> None:
    before = inversion_of(session)
    after = session.edit(before, {"mouthSmileLeft": 0.5})
    assert torch.equal(after.w_plus, before.w_plus)


@dataclass(frozen=True)
class Attribute:
    low: dict[int, float]
    high: dict[int, float]
    description: str = field(default="text")


def test_named_directions_know_shape_and_light(model: str, tmp_path: Path) -> None:
    generator, _ = load_anchored_generator(model)
    attributes = {"wide": Attribute({0: -2.0}, {0: 2.0})}
    found = discover_directions(generator, attributes, generator_sha256="ab", heads=16)
    z = torch.from_numpy(np.random.default_rng(0).standard_normal((16, 8)).astype(np.float32))
    ends = []
    for value in (-2.0, 2.0):
        z[:, 0] = value
        ends.append(generator.shape_codes(generator.mapping(z)).as_vector())
    change = (ends[1] - ends[0]).mean(dim=0)
    move = found.moves["wide"]
    # the half that changes most tells the way, and strength 1 is half of it
    assert torch.nn.functional.cosine_similarity(move.codes.as_vector()[0], change, dim=0) > 0.9
    path = tmp_path / "directions.safetensors"
    save_directions(path, found)
    again = read_directions(path)
    assert torch.equal(again.moves["wide"].codes.as_vector(), move.codes.as_vector())
    assert torch.equal(again.moves["wide"].light, move.light)
    assert again.names == ("wide",)
    moves = moved(OnMesh(HeadCodes.zeros(96), torch.zeros(1, 9, 3)), again, {"wide": 2.0})
    torch.testing.assert_close(moves.codes.as_vector(), 2.0 * move.codes.as_vector())


def test_directions_of_old_files_know_no_shape(tmp_path: Path) -> None:
    flat = Directions({"smile": torch.zeros(4, 16)}, {"smile": ""}, "ab")
    path = tmp_path / "directions.safetensors"
    save_directions(path, flat)
    assert read_directions(path).moves == {}
    with pytest.raises(UsageError, match="knows no shape"):
        moved(OnMesh(HeadCodes.zeros(96), torch.zeros(1, 9, 3)), flat, {"smile": 1.0})


def test_files_that_lack_a_shape_are_damaged(tmp_path: Path) -> None:
    move = OnMesh(HeadCodes.zeros(96), torch.zeros(1, 9, 3))
    path = tmp_path / "directions.safetensors"
    save_directions(path, Directions({"a": torch.zeros(4, 16)}, {"a": ""}, "ab", {"a": move}))
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    del tensors["a/light"]
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(CheckpointError, match="cannot read"):
        read_directions(path)


def test_what_moves_the_mesh_is_visible(model: str) -> None:
    generator, _ = load_anchored_generator(model)
    still = OnMesh(HeadCodes.zeros(96), torch.zeros(1, 9, 3))
    shape = (generator.config.num_ws, generator.config.w_dim)
    moves = {
        "bright": replace(still, light=torch.ones(1, 9, 3)),
        "wide": replace(still, codes=replace(still.codes, identity=5.0 * torch.eye(96)[:1])),
        "nothing": still,
    }
    vectors, descriptions = dict.fromkeys(moves, torch.zeros(shape)), dict.fromkeys(moves, "")
    kept = visible_directions(generator, Directions(vectors, descriptions, "ab", moves))
    assert kept.names == ("bright", "wide") and set(kept.moves) == {"bright", "wide"}


def test_commands(model: str, session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["edit", "--list", "--json", "--model", model]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["expressions"] == list(ARKIT_UNITS) and listed["attributes"] == {}
    assert run(["edit", "--list", "--model", model]) == 0
    assert "ARKit's 52 expressions" in capsys.readouterr().out
    path = inversion_of(session).save(tmp_path / "me.geoinv")
    common = ["--model", model, "--out", str(tmp_path), "--json"]
    assert run(["edit", str(path), "--attr", "jawOpen=0.6", "--views", "1", "--save", *common]) == 0
    edited = Inversion.load(json.loads(capsys.readouterr().out)["files"][1])
    assert edited.on_mesh is not None and float(edited.on_mesh.codes.expression[0, JAW]) == pytest.approx(0.6)
    assert run(["relight", str(path), "--light", "above", "--views", "1", "--save", *common]) == 0
    lit = Inversion.load(json.loads(capsys.readouterr().out)["files"][1])
    assert lit.on_mesh is not None and float(lit.on_mesh.light[0, 1].mean()) > 0.3  # more from above
    assert (tmp_path / "me_above.png").is_file()
    assert run(["render", str(path), "--light", "left", "--yaw", "0", *common]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == [str(tmp_path / "me_left_yaw+0_pitch+0.png")]


def test_heads_with_light_in_their_colours_are_not_relit(session: Session) -> None:
    with pytest.raises(UsageError, match="light in their colours"):
        session.relight(replace(inversion_of(session), on_mesh=None), "left")
