"""One head on the head mesh for several photos of a person."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import geoinv
from geoinv.camera import CameraPose
from geoinv.conventions import FACE_ORBIT
from geoinv.heads import GroupedHead
from geoinv.inversion import Inversion
from geoinv.inversion.group import together
from geoinv.inversion.group.fit_on_mesh import fit_on_mesh
from geoinv.inversion.group.members import Members
from geoinv.models.anchored_generator import AnchoredGenerator
from geoinv.models.encoder import EncoderOutput
from geoinv.models.on_mesh import OnMesh
from geoinv.session import Session
from geoinv.shape import ARKIT_UNITS, HeadCodes, expression_code, load_head_model
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
    assert float(other.camera[0]) - float(inversion.camera[0]) > 0.15


class _SurePoints(nn.Module):
    """An encoder that sees where landmarks are, and takes everybody for the mean head."""

    def __init__(self, codes: HeadCodes, cameras: CameraPose, session: Session) -> None:
        super().__init__()
        model = load_head_model()
        places = cameras.camera(FACE_ORBIT).project(model.landmarks68.on(model.vertices(codes)))[0]  # [K, 68, 2]
        self.landmarks = functional.pad(places, (0, 0, 0, 5))
        ticks = (torch.arange(64) + 0.5) / 64.0
        away = self.landmarks[..., None, :] - ticks[:, None]  # [K, 73, 64, 2]
        columns, rows = (-away.square() / (2.0 * 0.01**2)).unbind(-1)
        self.heat = rows[..., :, None] + columns[..., None, :]
        config = session.generator_of_planes.config
        self.w_plus = torch.zeros(len(places), config.num_ws, config.w_dim)
        self.cameras, self.mesh = cameras, OnMesh(HeadCodes.zeros(96, len(places)), torch.zeros(len(places), 9, 3))

    def forward(self, pictures: Tensor) -> EncoderOutput:
        count = len(pictures)
        camera = CameraPose.from_vector(self.cameras.as_vector()[:count])
        return EncoderOutput(self.w_plus[:count], camera, self.landmarks[:count], self.heat[:count], self.mesh[:count])


def test_sides_tell_who_it_is_and_profiles_do_not(session: Session) -> None:
    identity = torch.randn(1, 96, generator=torch.Generator().manual_seed(3))
    codes = HeadCodes(identity.expand(4, -1), torch.zeros(4, 52), torch.zeros(4, 2))
    vectors = torch.zeros(4, 6)
    vectors[:, 0] = torch.tensor([0.0, -0.5, 0.5, 1.3])
    encoder = _SurePoints(codes, CameraPose.from_vector(vectors), session)
    generator = session.generator
    assert isinstance(generator, AnchoredGenerator)
    fits = [fit_on_mesh(torch.zeros(count, 3, 256, 256), generator, encoder).on_mesh for count in (1, 3, 4)]
    one, three, four = [fit.codes.identity[:1] for fit in fits if fit is not None]
    model = load_head_model()
    is_face = (model.mean[:, 2] > 0.12) & (model.mean[:, 1].abs() < 0.2)

    def error(found: Tensor) -> float:
        at_rest = [HeadCodes(who, torch.zeros(1, 52), torch.zeros(1, 2)) for who in (found, identity)]
        found_at, true_at = (model.vertices(each)[0, is_face] for each in at_rest)
        return float((found_at - true_at).norm(dim=-1).mean())

    assert error(three) < 0.8 * error(one)
    assert torch.equal(three, four)


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
