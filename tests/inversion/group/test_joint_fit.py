"""One head for several photos of it."""

from __future__ import annotations

import pytest
import torch

from geoinv.inversion.group import JointFit, JointSettings, fit_together, joint_fit
from geoinv.inversion.group.joint_fit import widest_angle_rad
from tests.inversion.tiny_heads import head_of, picture_of, target_of, tiny_generator

YAWS = (0.0, -0.5, 0.5)
SETTINGS = JointSettings(steps=24, rays=120)


def fitted(moves: torch.Tensor | None = None, own: float = 0.0) -> JointFit:
    """Three pictures of one head, fitted from the code of another one; that of the second is moved by ``own`` of the
    first of the moves."""
    generator = tiny_generator()
    heads = [head_of(generator, 3, yaw) for yaw in YAWS]
    targets = [target_of(picture_of(generator, head)) for head in heads]
    codes = head_of(generator, 5).w_plus.repeat(3, 1, 1)
    cameras = torch.stack([head.camera for head in heads])
    persons = torch.ones(3, len(targets[0].color))
    moves = torch.zeros(0, *codes.shape[1:]) if moves is None else moves
    if own:
        codes[1] += own * moves[0]
    return fit_together(generator, codes, cameras, targets, persons, moves, SETTINGS)


def test_photos_share_all_but_their_own_moves() -> None:
    shared = fitted().w_plus
    assert shared.shape[0] == 3
    assert torch.equal(shared[0], shared[1])
    move = torch.zeros(1, *shared.shape[1:])
    move[0, :, 0] = 1.0
    own = fitted(move, 0.8).w_plus
    assert torch.equal(own[0], own[2])
    # as the encoder's codes have it, less what the ridge takes: what does not fit must not become an expression
    assert torch.allclose(own[1] - own[0], 0.8 / 1.3 * move[0], atol=1e-4)


def test_the_fit_is_better_than_its_start_and_the_same_again() -> None:
    fit = fitted()
    assert fit.loss < 0.5 * fit.first_loss
    assert fit.steps == SETTINGS.steps
    assert torch.equal(fit.w_plus, fitted().w_plus)
    assert fit.cameras.isfinite().all()


def test_the_head_goes_half_of_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    start, half = head_of(tiny_generator(), 5).w_plus, fitted()
    monkeypatch.setattr(joint_fit, "_TAKEN", 1.0)
    whole = fitted()
    assert half.steps == whole.steps
    assert torch.allclose(half.w_plus - start, 0.5 * (whole.w_plus - start), atol=1e-5)
    assert not torch.allclose(whole.cameras, half.cameras)


def test_photos_from_one_side_leave_the_code_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.YAWS", (0.0, -0.1, 0.1))
    fit = fitted()
    assert (fit.steps, fit.loss) == (0, fit.first_loss)
    assert torch.allclose(fit.w_plus, head_of(tiny_generator(), 5).w_plus.repeat(3, 1, 1), atol=1e-5)


def test_profiles_do_not_bend_the_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.YAWS", (0.0, -1.2, 1.2))
    assert fitted().steps == 0, "one photo is left, and its code is E0's"
    monkeypatch.setattr(f"{__name__}.YAWS", (0.0, -1.2, 0.5))
    fit = fitted()
    start = torch.stack([head_of(tiny_generator(), 3, yaw).camera for yaw in YAWS])
    assert fit.steps == SETTINGS.steps and fit.loss < fit.first_loss
    assert torch.equal(fit.cameras[1], start[1]) and not torch.equal(fit.cameras[2], start[2])


def test_the_widest_angle_is_that_of_the_two_photos_farthest_apart() -> None:
    cameras = torch.zeros(3, 6)
    cameras[1, 0], cameras[2, 0] = -0.3, 0.5
    assert widest_angle_rad(cameras) == pytest.approx(0.8, abs=1e-6)
    assert widest_angle_rad(cameras[:1]) == 0.0
