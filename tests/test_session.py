"""The library facade on tiny random weights."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

import geoinv
from geoinv import notices
from geoinv.camera import Camera, CameraPose
from geoinv.conventions import FACE_ORBIT
from geoinv.images.tensors import photo_bytes
from tests.tiny_models import write_tiny_weights

WOMAN = Path(__file__).parents[1] / "examples" / "woman.jpg"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> geoinv.Session:
    folder = write_tiny_weights(tmp_path_factory.mktemp("weights") / "weights")
    session = geoinv.Session(str(folder / "mini-generator.safetensors"), device="cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEOINV_WEIGHTS", str(folder))
        _ = session.aligner, session.directions, session.encoder, session.generator
    return session


@pytest.fixture(scope="module")
def inversion(session: geoinv.Session) -> geoinv.Inversion:
    return session.invert(WOMAN)


def test_invert_takes_path_array_and_face(session: geoinv.Session, inversion: geoinv.Inversion) -> None:
    array = geoinv.read_image(WOMAN)
    for photo in (array, str(WOMAN), session.align(array)):
        again = session.invert(photo)
        assert torch.equal(again.w_plus, inversion.w_plus)
    assert inversion.source == "woman.jpg"
    assert session.invert(array, source="x").source == "x"
    assert 0.0 < inversion.metrics["psnr_db"] < 60.0


def test_threads_share_a_session(session: geoinv.Session, inversion: geoinv.Inversion) -> None:
    expected = session.render(inversion, yaw_deg=[-20, 20]).color

    def work(_: int) -> tuple[torch.Tensor, torch.Tensor]:
        own = session.invert(WOMAN)
        return own.w_plus, session.render(own, yaw_deg=[-20, 20]).color

    with ThreadPoolExecutor(3) as pool:
        for w_plus, color in pool.map(work, range(6)):
            assert torch.equal(w_plus, inversion.w_plus) and torch.equal(color, expected)


def test_render_shapes(session: geoinv.Session, inversion: geoinv.Inversion) -> None:
    views = session.render(inversion, yaw_deg=[-20, 0, 20], pitch_deg=5)
    assert views.color.shape == (3, 3, 32, 32)
    assert views.alpha.shape == (3, 1, 32, 32)
    assert views.depth.shape == (3, 1, 16, 16)
    own = session.render(inversion)
    same = session.render(inversion, camera=inversion.pose.camera(session.orbit))
    assert torch.equal(own.color, same.color)


def test_cameras_are_degrees(session: geoinv.Session, inversion: geoinv.Inversion) -> None:
    cameras = session.cameras(inversion, 30.0, [0.0, 10.0])
    expected = [
        CameraPose.from_angles(math.radians(30), math.radians(pitch)).cam2world(FACE_ORBIT) for pitch in (0, 10)
    ]
    assert torch.allclose(cameras.cam2world, torch.cat(expected), atol=1e-6)
    assert cameras.focal == session.orbit.focal


def test_edit_and_mesh(session: geoinv.Session, inversion: geoinv.Inversion) -> None:
    edited = session.edit(inversion, {"smile": 0.5})
    expected = inversion.w_plus + 0.5 * session.directions.vectors["smile"]
    assert torch.allclose(edited.w_plus, expected)
    mesh = session.mesh(edited, resolution=32)
    assert mesh.is_watertight


def test_an_edit_is_bounded_and_its_result_says_what_was_applied(
    session: geoinv.Session, inversion: geoinv.Inversion
) -> None:
    edited = session.edit(inversion, {"smile": 1e9})
    applied = edited.edits["smile"]
    assert 0.0 < applied < 100.0
    expected = inversion.w_plus + applied * session.directions.vectors["smile"]
    assert torch.allclose(edited.w_plus, expected, atol=1e-5)
    assert notices.given()[0].startswith("smile +1e+09 leads beyond")
    within, bound = session.edit_within(inversion, {"smile": 1e9}, limit=1e9)
    assert (within.edits["smile"], bound.scale) == (applied, 1.0)
    with pytest.raises(geoinv.UsageError, match="at least 0"):
        session.edit_within(inversion, {"smile": 1.0}, limit=float("nan"))


def test_refuses(session: geoinv.Session, inversion: geoinv.Inversion) -> None:
    from dataclasses import replace

    with pytest.raises(geoinv.CheckpointError, match="made by generator"):
        session.render(replace(inversion, generator_sha256="0" * 64))
    with pytest.raises(geoinv.UsageError, match="not both"):
        session.render(inversion, yaw_deg=1.0, camera=Camera(torch.eye(4)[None], 4.0))
    with pytest.raises(geoinv.ShapeError, match="cam2world"):
        Camera(torch.eye(4), 4.0)
    with pytest.raises(geoinv.ShapeError, match="photo must be"):
        session.align(np.zeros((100, 100), np.uint8))


def test_what_the_command_shows_the_library_shows(
    session: geoinv.Session, inversion: geoinv.Inversion, tmp_path: Path
) -> None:
    seen = session.seen(inversion)
    assert 0.0 <= seen.seen_fraction <= 1.0 and seen.details_change is not None
    assert seen.record == {"seen_share": seen.seen_fraction, "details_change": seen.details_change}
    made = session.inverted(WOMAN)
    assert np.array_equal(session.seen(made).picture, seen.picture)
    assert np.array_equal(session.inversion_sheet(made), session.inversion_sheet(inversion))
    strip = session.strength_strip(inversion, {"smile": 0.5}, count=3)
    front = photo_bytes(session.render(inversion, yaw_deg=0.0).over())
    assert np.array_equal(strip[:32, 36:68], front)  # the middle of three pictures of 32 px, 4 px apart: no strength
    frames: list[int] = []
    session.turntable(inversion, tmp_path / "head.gif", frames=3, on_frame=frames.append)
    assert frames == [1, 2, 3] and (tmp_path / "head.gif").stat().st_size > 0


def test_a_session_leaves_the_callers_random_numbers_alone(session: geoinv.Session) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    again = geoinv.Session(session.model, device="cpu", seed=1)
    again.invert(WOMAN)
    assert torch.equal(torch.rand(3), expected)
