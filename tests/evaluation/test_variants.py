"""What ``geoinv eval`` measures is what ``geoinv invert`` writes: the same head from the same photo."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

import geoinv
from geoinv.align import Face, FaceAligner
from geoinv.camera import CameraPose
from geoinv.evaluation.variants import encoded_by
from geoinv.heads import AnchoredHead
from geoinv.images.tensors import photo_tensor
from geoinv.shape import ARKIT_UNITS, HeadCodes, expression_code
from tests.on_mesh_faces import seen_landmarks
from tests.tiny_models import write_tiny_anchored, write_tiny_weights

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


class Detector:
    """Finds the landmarks of a head with an open mouth, or no face."""

    def __init__(self, has_face: bool) -> None:
        self.has_face = has_face

    def detect(self, image: np.ndarray) -> list[Face]:
        codes = HeadCodes(torch.zeros(1, 96), expression_code({"jawOpen": 0.8}), torch.zeros(1, 2))
        points = np.zeros((468, 3))
        points[:, :2] = seen_landmarks(codes, CameraPose.from_angles(0.0)).numpy() * image.shape[0]
        return [Face(np.zeros(4), 1.0, points)] if self.has_face else []


def test_shapes_on_the_mesh_are_fitted_to_landmarks(tmp_path: Path) -> None:
    session = geoinv.load(str(write_tiny_anchored(tmp_path)))
    networks, photo = (session.encoder, session.generator_of_planes), torch.rand(1, 3, 64, 64)
    aligners = (None, cast(FaceAligner, Detector(False)), cast(FaceAligner, Detector(True)))
    with torch.no_grad():
        heads = [encoded_by(*networks, aligner=aligner)(photo).head.plain for aligner in aligners]
    assert all(isinstance(head, AnchoredHead) for head in heads)
    guess, unseen, fitted = (head.codes.as_vector() for head in heads)
    assert torch.equal(guess, unseen)
    jaw = 96 + ARKIT_UNITS.index("jawOpen")
    assert float(fitted[0, jaw] - guess[0, jaw]) > 0.1
