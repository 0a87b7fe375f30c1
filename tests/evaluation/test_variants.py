"""What ``geoinv eval`` measures is what ``geoinv invert`` writes: the same head from the same photo."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import geoinv
from geoinv.evaluation.variants import encoded_by
from geoinv.images.tensors import photo_tensor
from tests.tiny_models import write_tiny_weights

WOMAN = Path(__file__).parents[2] / "examples" / "woman.jpg"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> geoinv.Session:
    folder = write_tiny_weights(tmp_path_factory.mktemp("weights") / "weights")
    session = geoinv.Session(str(folder / "mini-generator.safetensors"), device="cpu")
    with torch.no_grad():  # details as strong as a photo's, so that they can be told from none
        session.local_branch.film[-1].weight.mul_(20.0)
    return session


@pytest.mark.parametrize("method", ["encoder", "hybrid"])
def test_measured_and_written_heads_are_equal(session: geoinv.Session, method: str, tmp_path: Path) -> None:
    face, with_details = session.align(WOMAN), method == "hybrid"
    path = session.invert(face, method=method).save(tmp_path / "woman.geoinv")
    inversion = geoinv.Inversion.load(path)
    assert (inversion.details is not None) == with_details
    written = session._make_head(inversion)  # not the head that inversion itself left in memory
    branch = session.local_branch if with_details else None
    with torch.no_grad():
        measured = encoded_by(session.encoder, session.generator, branch)(photo_tensor(face.image))
    assert torch.equal(measured.pose.as_vector()[0], inversion.camera)
    for yaw in (0.0, 20.0):
        camera = session.cameras(inversion, yaw)
        views = [head.view(camera) for head in (written, measured.head)]
        for part in ("color", "alpha", "depth"):
            assert torch.equal(getattr(views[0], part), getattr(views[1], part)), (yaw, part)
    plain = session.render(replace(inversion, details=None), yaw_deg=20.0)
    assert with_details == bool((views[0].color - plain.color).abs().mean() > 0.01)


def test_alignments_differ(session: geoinv.Session) -> None:
    photo = photo_tensor(session.align(WOMAN).image)
    with torch.no_grad():
        ways = [encoded_by(session.encoder, session.generator, session.local_branch, a) for a in ("3d", "2d", "hybrid")]
        views = [made.head.view(made.camera).color for made in (invert(photo) for invert in ways)]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (views[one] - views[other]).abs().max() > 1e-3
