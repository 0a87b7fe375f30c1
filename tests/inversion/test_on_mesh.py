"""Photos into a generator on the head mesh: encoder, fit to landmarks, file, optimisation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

import geoinv
from geoinv import notices
from geoinv.camera import CameraPose
from geoinv.checkpoints.model_format import BaseModel, save_changes
from geoinv.conventions import AROUND, FACE_ORBIT
from geoinv.editing import Directions
from geoinv.editing.expressions import moved
from geoinv.errors import CheckpointError, UsageError
from geoinv.heads import AnchoredHead, DetailedHead
from geoinv.inversion import Inversion, Refinement, refine_head
from geoinv.inversion.landmark_fit import fitted_to_landmarks
from geoinv.inversion.optimise.objective import LossWeights
from geoinv.inversion.optimise.photo_target import PhotoTarget
from geoinv.inversion.optimise.refine import HeadEstimate
from geoinv.inversion.reconstruct import reconstruct
from geoinv.inversion.saved import ON_MESH_FORMAT_VERSION, _metadata
from geoinv.light import in_one_color
from geoinv.models.anchored_generator import AnchoredGenerator
from geoinv.models.encoder import GlobalEncoder
from geoinv.models.on_mesh import OnMesh
from geoinv.session import Session
from geoinv.shape import HeadCodes, Proportions, expression_code, load_head_model
from tests.on_mesh_faces import face_of, seen_landmarks
from tests.tiny_models import tiny_anchored_config, tiny_encoder_config, write_tiny_anchored

WHITE = torch.zeros(1, 9, 3)
WHITE[:, 0] = 3.5449077


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return geoinv.load(str(write_tiny_anchored(tmp_path_factory.mktemp("weights"))))


JAW = HeadCodes(torch.zeros(1, 96), expression_code({"jawOpen": 0.8}), torch.zeros(1, 2))
POSE = CameraPose.from_angles(0.2)


def test_fit_goes_from_the_guess_to_the_landmarks() -> None:
    guess = OnMesh(HeadCodes.zeros(96), WHITE)
    start = CameraPose.from_angles(0.1)
    seen = seen_landmarks(JAW, POSE)
    fitted, pose = fitted_to_landmarks(guess, start, [seen], FACE_ORBIT, is_camera_fixed=False)
    model = load_head_model()
    lips = model.landmarks468
    away = (lips.on(model.vertices(fitted.codes)) - lips.on(model.vertices(JAW))).norm(dim=-1)
    before = (lips.on(model.vertices(guess.codes)) - lips.on(model.vertices(JAW))).norm(dim=-1)
    assert away.mean() < 0.5 * before.mean()
    assert float(pose.yaw_rad) == pytest.approx(0.2, abs=0.04)  # the guess is far beyond its usual errors
    assert torch.equal(fitted.light, WHITE)
    kept, same = fitted_to_landmarks(guess, start, [None], FACE_ORBIT, is_camera_fixed=False)
    assert torch.equal(kept.codes.as_vector(), guess.codes.as_vector())
    assert torch.equal(same.as_vector(), start.as_vector())


def test_inversion_keeps_shape_and_light(session: Session, tmp_path: Path) -> None:
    made = session.inverted(face_of(JAW, POSE), method="encoder", pose=POSE)
    inversion = made.inversion
    assert inversion.on_mesh is not None
    assert float(inversion.on_mesh.codes.expression[0, 17]) > 0.3  # the jaw, by the landmarks
    torch.testing.assert_close(in_one_color(inversion.on_mesh.light), inversion.on_mesh.light)
    assert inversion.on_mesh.light[0, 1:].abs().max() > 1e-4  # it does not come from everywhere alike
    assert torch.allclose(inversion.camera, POSE.as_vector()[0])  # which is known, and stays
    again = Inversion.load(inversion.save(tmp_path / "me.geoinv"))
    assert again.to_bytes() == inversion.to_bytes()
    head = session.head(again)
    assert isinstance(head, AnchoredHead)
    assert torch.equal(head.codes.as_vector(), inversion.on_mesh.codes.as_vector())
    closed = replace(inversion, on_mesh=OnMesh(HeadCodes.zeros(96), inversion.on_mesh.light))
    assert not torch.equal(session.render(closed).depth, session.render(inversion).depth)


def test_files_without_shape_are_damaged(session: Session, tmp_path: Path) -> None:
    inversion = session.inverted(face_of(JAW, POSE), method="encoder").inversion
    path = inversion.save(tmp_path / "me.geoinv")
    contents = path.read_bytes()
    tensors, metadata = load(contents), _metadata(contents)
    assert f'"format_version": {ON_MESH_FORMAT_VERSION}' in metadata["geoinv"]
    del tensors["light"]
    path.write_bytes(save(tensors, metadata=metadata))
    with pytest.raises(CheckpointError, match="no light"):
        Inversion.load(path)


def test_other_encoders_are_refused(session: Session) -> None:
    flat = GlobalEncoder(replace(tiny_encoder_config(tiny_anchored_config()), shape_size=0))
    with pytest.raises(CheckpointError, match="gives no shape"):
        reconstruct(torch.zeros(1, 3, 64, 64), flat, session.generator)


def test_tri_planes_alone_are_still_asked_for(session: Session) -> None:
    with pytest.raises(UsageError, match="on the head mesh"):
        _ = session.triplane_generator
    assert session.generator_of_planes is session.generator


def test_optimisation_moves_shape_and_light(session: Session) -> None:
    generator = session.generator
    assert isinstance(generator, AnchoredGenerator)
    w_plus = generator.w_avg[None, None].repeat(1, generator.config.num_ws, 1)
    front = CameraPose.from_angles(0.0)
    truth = AnchoredHead(generator, w_plus, codes=JAW, light=1.3 * WHITE)
    picture = truth.view(front.camera(FACE_ORBIT)).over_grey()
    face = torch.zeros(16, 16)
    face[4:14, 4:12] = 1.0
    target = PhotoTarget.from_picture(picture, face, 16)
    start = HeadEstimate(w_plus, front.as_vector()[0], on_mesh=OnMesh(HeadCodes.zeros(96), WHITE))
    settings = Refinement(weights=LossWeights(likeness=0.0), steps=4, tunes_generator=True)
    found = refine_head(generator, start, target, settings)
    best = found.estimate
    assert found.loss < found.first_loss and best.tuning
    assert best.on_mesh is not None and not best.on_mesh.light.requires_grad
    assert float(best.on_mesh.light[0, 0].mean()) > 3.5449077
    assert (best.on_mesh.codes.as_vector() - start.on_mesh.codes.as_vector()).abs().max() > 1e-3


def test_details_follow_an_edit(session: Session, tmp_path: Path) -> None:
    inversion = session.inverted(face_of(JAW, POSE), method="hybrid").inversion
    assert inversion.details is not None
    again = Inversion.load(inversion.save(tmp_path / "me.geoinv"))
    head = session.head(again)
    assert isinstance(head, DetailedHead)
    with notices.collect():
        edited = session.head(session.edit(again, {"jawOpen": -0.3}))
    assert isinstance(edited, DetailedHead) and edited.edit is not None and edited.edit.on_mesh is not None
    shapes = edited.edit.on_mesh.codes, head.plain.codes
    torch.testing.assert_close(*(shape.as_vector() for shape in shapes))
    assert not torch.equal(edited.view(head.source.camera).color, head.view(head.source.camera).color)


def test_a_toon_shows_the_photos_shape_in_its_proportions(session: Session) -> None:
    """Changes of the model beside it: what the photo says of shape and light is kept, its details are not."""
    inversion = session.inverted(face_of(JAW, POSE), method="hybrid").inversion
    generator = session.generator
    assert isinstance(generator, AnchoredGenerator) and inversion.on_mesh is not None
    config = replace(generator.config, name="toon", proportions=Proportions(eyes=(1.7, 1.7, 1.7)))
    changed = {"decoder.net.2.bias": generator.decoder.net[2].bias + 0.5}
    path = session.info.path.with_name("toon-generator.safetensors")
    base = BaseModel(session.info.name, session.info.sha256)
    save_changes(path, changed, config, base=base, extra={})
    toons = Session.load(str(session.info.path), shown_with=path)
    head, own = toons.head(inversion), session.head(inversion).plain
    assert isinstance(head, AnchoredHead) and isinstance(own, AnchoredHead)
    assert torch.equal(head.codes.as_vector(), inversion.on_mesh.codes.as_vector())
    assert torch.equal(head.light, inversion.on_mesh.light)
    eyes = []
    for shown in (own, head):
        model = shown.generator.anchor.model
        eyes.append(model.landmarks68.on(shown.generator.vertices(shown.codes))[0, 36:42])
    assert (eyes[1][3, 0] - eyes[1][0, 0]) > 1.3 * (eyes[0][3, 0] - eyes[0][0, 0])
    with notices.collect():
        smiling = toons.head(toons.edit(inversion, {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}))
    assert isinstance(smiling, AnchoredHead)
    assert not torch.equal(smiling.view(POSE.camera(FACE_ORBIT)).depth, head.view(POSE.camera(FACE_ORBIT)).depth)


def test_relit_heads_know_the_light_of_their_photo(session: Session, tmp_path: Path) -> None:
    """What the photo shows beyond a head is found under its own light: else it would bring that light back."""
    inversion = session.inverted(face_of(JAW, POSE), method="hybrid").inversion
    lit = session.relight(session.relight(inversion, "above"), "left")
    again = Inversion.load(lit.save(tmp_path / "lit.geoinv"))
    head, before = session.head(again), session.head(inversion)
    assert isinstance(head, DetailedHead) and isinstance(before, DetailedHead)
    camera = before.source.camera
    torch.testing.assert_close(head.unedited.view(camera).color, before.view(camera).color, atol=1e-4, rtol=0.0)
    assert not torch.allclose(head.view(camera).color, before.view(camera).color, atol=0.02)


def test_edited_heads_know_the_shape_of_their_photo(session: Session, tmp_path: Path) -> None:
    """Who smiles already does not smile twice, so a smile taken back is another face than that of the photo."""
    smile = expression_code({"mouthSmileLeft": 0.7, "mouthSmileRight": 0.7})
    move = OnMesh(HeadCodes(torch.zeros(1, 96), smile, torch.zeros(1, 2)), torch.zeros(1, 9, 3))
    directions = Directions({"smile": torch.zeros(4, 16)}, {"smile": "smiles"}, session.info.sha256, {"smile": move})
    inversion = session.inverted(face_of(JAW, POSE), method="hybrid").inversion
    assert inversion.on_mesh is not None
    own = replace(inversion.on_mesh, codes=replace(inversion.on_mesh.codes, expression=smile))
    inversion = replace(inversion, on_mesh=own)
    smiling = inversion.edited(inversion.w_plus, {"smile": 1.0}, moved(own, directions, {"smile": 1.0}))
    assert smiling.on_mesh is not None
    back = moved(smiling.on_mesh, directions, {"smile": -1.0})
    assert not torch.allclose(back.codes.expression, smile, atol=0.2)
    again = Inversion.load(smiling.save(tmp_path / "a.geoinv"))
    other = geoinv.load(session.model)
    other.directions = directions
    head = other.head(again.edited(again.w_plus, {"smile": 0.5}, again.on_mesh))
    assert isinstance(head, DetailedHead) and isinstance(head.unedited.whole, AnchoredHead)
    assert torch.equal(head.unedited.whole.codes.as_vector(), own.codes.as_vector())


def test_a_photos_shape_of_another_size_is_refused(session: Session, tmp_path: Path) -> None:
    inversion = session.inverted(face_of(JAW, POSE), method="hybrid").inversion
    assert inversion.on_mesh is not None
    path = inversion.edited(inversion.w_plus, {"jawOpen": 0.1}, inversion.on_mesh).save(tmp_path / "a.geoinv")
    tensors, header = load(path.read_bytes()), _metadata(path.read_bytes())
    path.write_bytes(save(tensors | {"photo_codes": torch.zeros(1, 3)}, metadata=header))
    with pytest.raises(CheckpointError, match="damaged"):
        Inversion.load(path)


def test_what_is_around_the_crop_stays_with_details(session: Session, tmp_path: Path) -> None:
    around = np.random.default_rng(1).integers(0, 256, (384, 384, 3), dtype=np.uint8)
    face = replace(face_of(JAW, POSE), around=around, source_size=(900, 900), matrix=np.eye(2, 3) - [[0, 0, 194]] * 2)
    made = session.inverted(face, method="hybrid")
    again = Inversion.load(made.inversion.save(tmp_path / "a.geoinv"))
    assert again.around is not None
    np.testing.assert_array_equal(again.around, around)
    wide = session.cameras(again).zoomed(1.0 / AROUND)
    shown = geoinv.load(session.model).head(again).view(wide).color
    assert torch.equal(shown, made.head.view(wide).color)
    assert not torch.equal(shown, session.head(replace(again, around=None)).view(wide).color)
    assert session.inverted(face, method="encoder").inversion.around is None
