"""One head on the head mesh for several photos of a person."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import geoinv
from geoinv.camera import CameraPose
from geoinv.heads import GroupedHead
from geoinv.inversion import Inversion
from geoinv.inversion.group import together
from geoinv.inversion.group.members import Members
from geoinv.session import Session
from geoinv.shape import ARKIT_UNITS, HeadCodes, expression_code
from tests.on_mesh_faces import face_of
from tests.tiny_models import write_tiny_anchored

JAW = ARKIT_UNITS.index("jawOpen")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return geoinv.load(str(write_tiny_anchored(tmp_path_factory.mktemp("weights"))))


@pytest.fixture
def inversion(session: Session, monkeypatch: pytest.MonkeyPatch) -> Inversion:
    """Of a face at rest and one with an open mouth, from two sides."""
    monkeypatch.setattr(together, "members_of", lambda faces: Members((0, 1), (), (0.0, 0.0)))
    rest = HeadCodes.zeros(96)
    jaw = HeadCodes(torch.zeros(1, 96), expression_code({"jawOpen": 0.8}), torch.zeros(1, 2))
    faces = [face_of(rest, CameraPose.from_angles(0.0)), face_of(jaw, CameraPose.from_angles(0.4))]
    return session.inverted_together(faces, sources=["rest.jpg", "open.jpg"]).inverted.inversion


def test_photos_share_the_person_and_keep_what_the_face_does(inversion: Inversion) -> None:
    other = inversion.others[0]
    assert inversion.on_mesh is not None and other.on_mesh is not None
    shown, seen = inversion.on_mesh.codes, other.on_mesh.codes
    assert torch.equal(shown.identity, seen.identity)
    assert torch.equal(inversion.w_plus, other.w_plus)
    assert torch.equal(inversion.on_mesh.light, other.on_mesh.light)
    assert float(shown.expression[0, JAW]) < 0.15 < 0.4 < float(seen.expression[0, JAW])
    assert abs(float(other.camera[0]) - float(inversion.camera[0])) > 0.2


def test_a_file_keeps_shape_and_light_of_each_photo(inversion: Inversion, session: Session, tmp_path: Path) -> None:
    again = Inversion.load(inversion.save(tmp_path / "us.geoinv"))
    assert again.to_bytes() == inversion.to_bytes()
    mesh, kept = inversion.others[0].on_mesh, again.others[0].on_mesh
    assert mesh is not None and kept is not None
    assert torch.equal(mesh.codes.as_vector(), kept.codes.as_vector()) and torch.equal(mesh.light, kept.light)
    head = session.head(again)
    assert isinstance(head, GroupedHead) and len(head.parts) == 2
    edit = head.parts[1].edit
    assert edit is not None and edit.on_mesh is not None
    assert torch.equal(edit.on_mesh.codes.as_vector(), mesh.codes.as_vector())


def test_edits_move_both_photos_details(inversion: Inversion, session: Session) -> None:
    camera = CameraPose.from_angles(0.2).camera(session.orbit)
    before = session.head(inversion).view(camera)
    after = session.head(session.edit(inversion, {"jawOpen": 0.5})).view(camera)
    assert (before.depth - after.depth).abs().max() > 1e-3
    assert (before.color - after.color).abs().max() > 1e-2
