"""The generator on the head mesh, in small and with random weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from geoinv.camera import CameraPose, pixel_centres
from geoinv.checkpoints.store import load_anchored_generator, load_generator, save_model
from geoinv.conventions import FACE_ORBIT
from geoinv.errors import CheckpointError, ShapeError
from geoinv.heads import AnchoredHead, Head, each_view
from geoinv.mesh import extract_head
from geoinv.models.anchored_generator import AnchoredGenerator
from geoinv.models.config import GeneratorConfig
from geoinv.models.render_output import RenderOutput
from geoinv.ops.view_rays import light_rays
from geoinv.shape import HeadCodes, Proportions, expression_code, in_proportion
from tests.tiny_models import tiny_anchored_config, tiny_config, write_tiny_weights

WHITE = torch.zeros(1, 9, 3)
WHITE[:, 0] = 3.5449077  # the first harmonic is 1 / sqrt(4 pi)


@pytest.fixture(scope="module")
def generator() -> AnchoredGenerator:
    torch.manual_seed(0)
    return AnchoredGenerator(tiny_anchored_config()).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def head(generator: AnchoredGenerator) -> AnchoredHead:
    w_plus = generator.mapping(torch.zeros(1, 8))
    return AnchoredHead(generator, w_plus, codes=HeadCodes.zeros(96), light=WHITE)


def camera(yaw_rad: float = 0.0) -> CameraPose:
    return CameraPose.from_angles(yaw_rad)


def test_configuration_survives_json() -> None:
    config = tiny_anchored_config()
    assert GeneratorConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_proportions_survive_json_and_other_files_do_not_speak_of_them() -> None:
    toon = replace(tiny_anchored_config(), proportions=Proportions(eyes=(1.5, 1.6, 1.7), nose=0.7))
    assert GeneratorConfig.from_dict(json.loads(json.dumps(toon.to_dict()))) == toon
    assert "proportions" not in tiny_anchored_config().to_dict()  # so that older versions read new files
    with pytest.raises(ValueError, match="without a head mesh"):
        replace(tiny_config(), proportions=Proportions())
    for wrong in ({}, {"eyes": 2.0}, {"eyes": (9.0, 1.0, 1.0)}, {"ears": 2.0}):
        values = json.loads(json.dumps(toon.to_dict())) | {"proportions": wrong}
        with pytest.raises(CheckpointError, match="generator configuration cannot be read"):
            GeneratorConfig.from_dict(values)


def test_proportions_move_the_mesh_whatever_its_codes(generator: AnchoredGenerator) -> None:
    toon = AnchoredGenerator(replace(generator.config, proportions=Proportions(eyes=(1.6, 1.6, 1.6), jaw=0.8)))
    toon.load_state_dict(generator.state_dict())
    model = generator.anchor.model
    for units in ({}, {"jawOpen": 1.0, "eyeBlinkLeft": 1.0}):
        codes = replace(model.mean_codes(), expression=expression_code(units))
        vertices = toon.vertices(codes)
        assert torch.equal(generator.vertices(codes), model.vertices(codes))
        assert torch.equal(vertices, in_proportion(model, model.vertices(codes), toon.config.proportions))
        w_plus = generator.w_avg.expand(1, generator.config.num_ws, -1)
        heads = toon.heads(w_plus, codes=codes)
        assert torch.equal(heads.rays.volumes.face, toon.anchor(vertices).face)
        torch.testing.assert_close(heads.rays.planes, generator.heads(w_plus, codes=codes).rays.planes)


def test_files_before_anchors_have_none() -> None:
    values = json.loads(json.dumps(tiny_config().to_dict()))
    del values["anchor"]
    assert GeneratorConfig.from_dict(values) == tiny_config()


def test_starts_as_the_mesh_of_its_codes(head: AnchoredHead) -> None:
    view = head.view(camera().camera(FACE_ORBIT), resolution=32)
    alpha = view.alpha[0, 0]
    assert float(alpha[16, 16]) > 0.95  # the middle of the face
    assert float(alpha[2, 2]) < 0.05  # beside the head
    nose = 2.7 - 0.325 + 0.2  # a camera of radius 2.7 about z = 0.2; the tip at z = 0.325
    assert float(view.depth[0, 0, 17:20, 14:18].min()) == pytest.approx(nose, abs=0.02)


def test_it_is_a_head(head: AnchoredHead) -> None:
    seam: Head = head
    views = list(each_view(seam, CameraPose.from_vector(torch.zeros(2, 6)).camera(FACE_ORBIT)))
    assert [tuple(view.color.shape) for view in views] == [(1, 3, 16, 16)] * 2
    assert seam.plain is seam
    pair = seam.view_pair(camera().camera(FACE_ORBIT))
    assert pair.plain is pair.shown
    mesh = extract_head(seam, resolution=48)
    top, bottom = mesh.vertices[:, 1].max(), mesh.vertices[:, 1].min()
    assert float(top) == pytest.approx(0.398, abs=0.03)  # of the mean head
    assert float(bottom) < -0.3


def test_shape_code_moves_the_head_and_not_its_colour(generator: AnchoredGenerator, head: AnchoredHead) -> None:
    w_plus = generator.mapping(torch.zeros(1, 8))
    codes = HeadCodes.zeros(96)
    taller = replace(codes, identity=torch.eye(96)[:1] * 3.0)
    moved = AnchoredHead(generator, w_plus, codes=taller, light=WHITE)
    vertices = generator.anchor.model.vertices(codes), generator.anchor.model.vertices(taller)
    away = (vertices[1] - vertices[0]).norm(dim=-1)[0]
    place = int(away.argmax())
    assert float(away[place]) > 0.01
    before = head.query(vertices[0][:, place : place + 1], is_lit=False)[1]
    after = moved.query(vertices[1][:, place : place + 1], is_lit=False)[1]
    torch.testing.assert_close(before, after, atol=0.02, rtol=0.0)


def test_gradients_reach_codes_light_and_w(generator: AnchoredGenerator) -> None:
    w_plus = generator.mapping(torch.zeros(1, 8)).clone().requires_grad_()
    codes = HeadCodes.from_vector(torch.zeros(1, 150).requires_grad_())
    vector = torch.zeros(1, 150, requires_grad=True)
    light = WHITE.clone().requires_grad_()
    codes = HeadCodes.from_vector(vector)
    view = AnchoredHead(generator, w_plus, codes=codes, light=light).view(camera(0.3).camera(FACE_ORBIT), resolution=8)
    (view.color.sum() + view.depth.sum()).backward()
    for tensor in (w_plus, vector, light):
        assert tensor.grad is not None and tensor.grad.isfinite().all() and tensor.grad.any()


def test_light_hand_computed() -> None:
    """Half of white light: albedo times 0.5 ^ (1 / 2.2); gloss is added, and neither sees the normal's length."""
    features = torch.tensor([[[0.4, 0.2, 0.1, 0.0, 0.0, 0.0, 0.3], [0.4, 0.2, 0.1, 0.1, 0.0, 0.0, 0.3]]])
    directions = torch.tensor([0.0, 0.0, -1.0]).expand(1, 2, 3)
    factor = 0.5 ** (1.0 / 2.2)
    colors = light_rays(features, directions, 0.5 * WHITE)[0]
    torch.testing.assert_close(colors[0], factor * torch.tensor([0.4, 0.2, 0.1]))
    torch.testing.assert_close(colors[1] - colors[0], torch.full([3], 0.1 * factor))


def test_gloss_reflects_light_from_the_side() -> None:
    """Light that comes from +x: seen from the front, a surface turned by 45 degrees shows it."""
    light = torch.zeros(1, 9, 3)
    light[:, 0], light[:, 3] = 1.0, 1.0
    turned = torch.tensor([[[0.0, 0.0, 0.0, 1.0, 0.7071, 0.0, 0.7071], [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0]]])
    colors = light_rays(turned, torch.tensor([0.0, 0.0, -1.0]).expand(1, 2, 3), light)[0]
    assert float(colors[0, 0]) == pytest.approx((0.28209479 + 0.48860251) ** (1 / 2.2), rel=1e-3)
    assert float(colors[1, 0]) == pytest.approx(0.28209479 ** (1 / 2.2), rel=1e-3)


def test_is_saved_and_loaded(generator: AnchoredGenerator, tmp_path: Path) -> None:
    path = tmp_path / "head-generator.safetensors"
    save_model(path, generator, generator.config)
    loaded, info = load_anchored_generator(str(path))
    assert info.name == "head"
    w_plus = generator.mapping(torch.ones(1, 8))
    torch.testing.assert_close(
        loaded.shape_codes(w_plus).identity, generator.shape_codes(w_plus).identity, atol=1e-2, rtol=0
    )
    with pytest.raises(CheckpointError, match="on the head mesh"):
        load_generator(str(path))
    flat = write_tiny_weights(tmp_path / "weights") / "mini-generator.safetensors"
    with pytest.raises(CheckpointError, match="no generator on the head mesh"):
        load_anchored_generator(str(flat))


def test_painting_codes_are_whitened_and_rare_movements_are_not_magnified() -> None:
    torch.manual_seed(3)
    generator = AnchoredGenerator(tiny_anchored_config()).requires_grad_(False)
    last = generator.shape_head[-1]
    last.weight *= 0.01  # type: ignore[operator]
    last.bias.zero_()  # type: ignore[operator]
    w = generator.mapping(torch.randn(500, 8))[:, :1]
    generator.set_painted_scale(w[:, 0])
    codes = generator.painting_codes(w)[:, 0]
    assert codes.mean(dim=0).abs().max() < 1e-3
    look, movements = codes[:, :-54].std(dim=0), codes[:, -54:].std(dim=0)
    assert (look <= 1.001).all() and look.max() > 0.99
    assert torch.allclose(movements, generator.shape_codes(w).as_vector()[:, -54:].std(dim=0) / 0.25, rtol=1e-3)


def test_the_expression_that_heads_show_is_painted(generator: AnchoredGenerator) -> None:
    """Where a head's shape is not the one that w means, as after a fit or an edit, planes follow the shape."""
    w_plus = generator.mapping(torch.ones(1, 8))
    own = generator.shape_codes(w_plus)
    numbers = own.as_vector()
    numbers[:, 96] += 0.1
    shown = HeadCodes.from_vector(numbers)
    change = generator.painting_codes(w_plus, shown) - generator.painting_codes(w_plus, own)
    place = generator.anchor_config.look_size
    assert torch.allclose(change[..., place], 0.1 / generator.painted_spread[place], atol=1e-4)
    others = torch.cat([change[..., :place], change[..., place + 1 :]], dim=-1)
    assert not others.any()
    assert torch.allclose(generator.painting_codes(w_plus, own), generator.painting_codes(w_plus), atol=1e-5)
    planes = [generator.heads(w_plus, codes=codes).rays.planes for codes in (own, shown)]
    assert not torch.equal(*planes)


@pytest.mark.parametrize("step", [1, 2])
def test_a_film_of_some_rays_changes_a_view_as_that_of_all_samples(head: AnchoredHead, step: int) -> None:
    side, hidden = 32, head.generator.config.decoder_hidden
    cameras = CameraPose.from_vector(torch.cat([camera().as_vector(), camera(0.5).as_vector()])).camera(FACE_ORBIT)
    plain = head.view(cameras, resolution=side)
    few = (side // step) ** 2
    unchanged = head.with_film(plain, torch.zeros(2, few, 2 * hidden))
    torch.testing.assert_close(unchanged.color, plain.color)
    torch.manual_seed(1)
    film = 2.0 * torch.randn(2, 1, 2 * hidden)
    changed = head.with_film(plain, film.expand(2, few, -1))
    assert torch.equal(changed.alpha, plain.alpha) and torch.equal(changed.depth, plain.depth)
    for view, one in enumerate(cameras):
        origins, directions = one.rays(pixel_centres(side, torch.device("cpu")))
        distances = torch.linspace(2.2, 3.2, 300).expand(1, side * side, -1).contiguous()
        everywhere = film[view].expand(1, side * side, -1).contiguous()
        marched = head.march(origins, directions, distances, everywhere).features[0, :, :3].T.unflatten(1, (side, side))
        is_solid = plain.alpha[view, 0] > 0.99
        off = (changed.color[view] - marched)[:, is_solid].abs().mean()
        moved = (plain.color[view] - marched)[:, is_solid].abs().mean()
        assert moved > 0.02 and off < 0.1 * moved, (float(moved), float(off))


def test_a_film_goes_over_bilinearly_from_ray_to_ray(head: AnchoredHead) -> None:
    side, hidden = 32, head.generator.config.decoder_hidden
    plain = head.view(camera().camera(FACE_ORBIT), resolution=side)
    film = torch.zeros(1, side // 2, side // 2, 2 * hidden)
    film[:, 8, 8] = 3.0  # of pixel 16, 16: the middle of the face
    change = (head.with_film(plain, film.flatten(1, 2)).composited - plain.composited)[0, :3].abs().sum(dim=0)
    reached = change.nonzero()
    assert reached.amin(dim=0).tolist() == [15, 15] and reached.amax(dim=0).tolist() == [17, 17]
    assert float(change[16, 17]) == pytest.approx(0.5 * float(change[16, 16]), rel=0.05)


def test_views_without_gradient_are_close_to_those_of_all_rays(head: AnchoredHead) -> None:
    """With gradients all rays are traced."""
    cameras = CameraPose.from_vector(torch.cat([camera().as_vector(), camera(0.5).as_vector()])).camera(FACE_ORBIT)
    every_ray = head.view(cameras, resolution=64)
    with torch.no_grad():
        few_rays = head.view(cameras, resolution=64)
    off = (few_rays.composited - every_ray.composited).abs()
    colors, normals = off[:, :4], off[:, 4:]
    assert 0.0 < off.mean() < 1e-3 and colors.max() < 0.05 and normals.max() < 0.2
    assert (few_rays.alpha - every_ray.alpha).abs().max() < 0.02


def test_views_have_the_normals_of_the_mesh(head: AnchoredHead) -> None:
    with torch.no_grad():
        views = [head.view(camera(yaw).camera(FACE_ORBIT), resolution=64) for yaw in (0.0, 0.5)]
    for view in views:
        solid = view.alpha > 0.5
        length = view.normals.norm(dim=1, keepdim=True)
        torch.testing.assert_close(length, solid.float())
        of_depth = view.normals_of_depth
        is_known = solid[:, 0] & (of_depth.norm(dim=1) > 0.0)
        cosine = (view.normals * of_depth).sum(dim=1)[is_known]
        assert 0.9 < float(cosine.median()) < 0.9999  # alike, but not of the depth
        assert torch.equal(view.cpu().normals, view.normals)
    together = RenderOutput.cat(views)
    torch.testing.assert_close(together.normals, torch.cat([view.normals for view in views]))


def test_rejects_other_numbers_of_cameras(generator: AnchoredGenerator) -> None:
    heads = generator.heads(generator.mapping(torch.zeros(2, 8)))
    with pytest.raises(ShapeError, match="2 heads cannot be seen by 3 cameras"):
        generator.render(heads, CameraPose.from_vector(torch.zeros(3, 6)).camera(FACE_ORBIT))
