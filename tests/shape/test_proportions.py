"""Other proportions: eyes grow by what was asked, all else keeps its place, and nothing comes to lie before its lid."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from geoinv.shape import HeadModel, Proportions, expression_code, in_proportion, load_head_model

TOON = Proportions(eyes=(1.6, 1.8, 1.75), nose=0.65, jaw=0.8, neck=0.7, skull=1.12)


@pytest.fixture(scope="module")
def model() -> HeadModel:
    return load_head_model()


def at_rest(model: HeadModel) -> Tensor:
    return model.vertices(model.mean_codes())


def test_heads_as_they_are(model: HeadModel) -> None:
    vertices = at_rest(model)
    torch.testing.assert_close(in_proportion(model, vertices, Proportions()), vertices)


def test_eyes_are_larger_by_about_what_was_asked(model: HeadModel) -> None:
    """The opening of an eye; the magnifier is weaker towards its corners."""
    sizes = []
    for proportions in (Proportions(), Proportions(eyes=(1.5, 1.8, 1.0))):
        eye = model.landmarks68.on(in_proportion(model, at_rest(model), proportions))[0, 36:42]
        sizes.append(eye.amax(dim=0) - eye.amin(dim=0))
    width, height = (sizes[1] / sizes[0])[:2].tolist()
    assert 1.25 < width < 1.5 and 1.5 < height < 1.8


def test_widths_of_jaw_and_skull(model: HeadModel) -> None:
    before, after = (
        model.landmarks68.on(in_proportion(model, at_rest(model), proportions))[0]
        for proportions in (Proportions(), TOON)
    )
    jaw, temples = ((after[b, 0] - after[a, 0]) / (before[b, 0] - before[a, 0]) for a, b in ((6, 10), (17, 26)))
    assert 0.78 < jaw < 0.88 and temples > 1.0
    assert (after[27, 0] - before[27, 0]).abs() < 1e-4  # the middle of the face stays there


def test_shoulders_and_the_back_of_the_head_keep_their_place(model: HeadModel) -> None:
    vertices = at_rest(model)
    moved = (in_proportion(model, vertices, Proportions(eyes=TOON.eyes, nose=TOON.nose, neck=TOON.neck)) - vertices)[0]
    assert moved.norm(dim=-1).max() > 0.02
    still = (vertices[0, :, 1] < -0.48) | ((vertices[0, :, 2] < -0.1) & (vertices[0, :, 1] > 0.0))
    assert moved[still].norm(dim=-1).max() < 2e-3


@pytest.mark.parametrize("closed", [0.0, 0.5, 1.0])
def test_lids_stay_before_eyeballs(model: HeadModel, closed: float) -> None:
    """By how far skin lies before the eyeball near it, along the look: no less than on the head itself."""
    blink = replace(model.mean_codes(), expression=expression_code({"eyeBlinkLeft": closed, "eyeBlinkRight": closed}))
    before = model.vertices(blink)
    after = in_proportion(model, before, TOON)
    ball, skin = (before[0, model.parts[name].vertices] for name in ("left-eye", "skin"))
    front = ball[:, 2] > ball[:, 2].mean()
    away = (ball[front, None, :2] - skin[:, :2]).norm(dim=-1) + 10.0 * (skin[:, 2] < 0.15)
    nearest, lid = away.min(dim=1)
    near = nearest < 0.004
    ahead = [
        (vertices[0, model.parts["skin"].vertices][lid] - vertices[0, model.parts["left-eye"].vertices][front])[near, 2]
        for vertices in (before, after)
    ]
    covers = ahead[0] > 0.001
    assert covers.sum() >= 4 and bool((ahead[1] > ahead[0])[covers].all())


def test_eyes_are_found_where_the_head_has_them(model: HeadModel) -> None:
    """Identities with eyes elsewhere: the middle between the eyes' magnifiers moves along."""
    generator = torch.Generator().manual_seed(0)
    codes = replace(model.mean_codes(4), identity=torch.randn(4, model.identity_size, generator=generator))
    vertices = model.vertices(codes)
    proportions = Proportions(eyes=(1.6, 1.6, 1.0))
    ball = model.parts["left-eye"].vertices
    moved = in_proportion(model, vertices, proportions)[:, ball].mean(dim=1) - vertices[:, ball].mean(dim=1)
    assert moved.norm(dim=-1).max() < 2e-3


def test_gradients_reach_vertices(model: HeadModel) -> None:
    vertices = at_rest(model).requires_grad_(True)
    in_proportion(model, vertices, TOON).square().sum().backward()
    assert vertices.grad is not None and bool(vertices.grad.isfinite().all())


@pytest.mark.parametrize("wrong", [{"eyes": (1.0, 3.0, 1.0)}, {"nose": 0.0}, {"eyes": (1.0, 1.0)}])
def test_proportions_that_would_fold_space(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="proportions of"):
        Proportions(**wrong)  # type: ignore[arg-type]
