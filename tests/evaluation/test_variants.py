"""Variants measure what ``geoinv invert`` makes: the same head from the same photo."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import geoinv
from geoinv.evaluation.variants import detailed_by, encoded_by
from geoinv.inversion.encode import encoder_input
from tests.tiny_models import write_tiny_weights

WOMAN = Path(__file__).parents[2] / "examples" / "woman.jpg"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> geoinv.Session:
    folder = write_tiny_weights(tmp_path_factory.mktemp("weights") / "weights")
    session = geoinv.Session(str(folder / "mini-generator.safetensors"), device="cpu")
    with torch.no_grad():  # details as strong as a photo's, so that they can be told from none
        session.local_branch.film[-1].weight.mul_(20.0)
    return session


@pytest.mark.parametrize("with_details", [False, True])
def test_same_as_the_session(session: geoinv.Session, with_details: bool) -> None:
    face = session.align(WOMAN)
    inversion, _ = session.invert_and_render(face, with_details=with_details)
    assert (inversion.details is not None) == with_details
    expected = session.render(inversion, yaw_deg=20.0)
    invert = detailed_by(session.encoder, session.local_branch) if with_details else encoded_by(session.encoder)
    with torch.no_grad():
        made = invert(encoder_input(face.image), session.generator)
        view = made.view(session.cameras(inversion, 20.0))
    assert torch.allclose(made.camera.as_vector()[0], inversion.camera, atol=1e-6)
    plain = session.render(replace(inversion, details=None), yaw_deg=20.0)
    effect = (expected.color - plain.color).abs().mean()
    assert with_details == bool(effect > 0.01)
    # .geoinv files round residuals to 16 bits, and the photo here was rounded to 256 px first
    assert (view.color - expected.color).abs().mean() <= 0.05 * effect
    assert torch.equal(view.depth, expected.depth)


def test_alignments_differ(session: geoinv.Session) -> None:
    photo = encoder_input(session.align(WOMAN).image)
    with torch.no_grad():
        heads = [detailed_by(session.encoder, session.local_branch, name) for name in ("3d", "2d", "hybrid")]
        made = [invert(photo, session.generator) for invert in heads]
        views = [head.view(head.camera.cam2world()).color for head in made]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (views[one] - views[other]).abs().max() > 1e-3
