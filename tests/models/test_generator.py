"""The tri-plane generator as a whole: shapes, determinism, views, queries, EG3D's structure."""

from __future__ import annotations

import pytest
import torch

from geoinv.camera import CameraPose
from geoinv.conventions import FACE_ORBIT
from geoinv.errors import ShapeError
from geoinv.models.backbone import BlendedMaps
from geoinv.models.config import BackboneConfig, GeneratorConfig, MappingConfig
from geoinv.models.generator import TriPlaneGenerator
from geoinv.models.mapping import MappingNetwork
from geoinv.models.presets import ffhq512_128, mini
from geoinv.ops._build import use_backend
from tests.tiny_models import tiny_config


@pytest.fixture(scope="module")
def generator() -> TriPlaneGenerator:
    torch.manual_seed(0)
    return TriPlaneGenerator(tiny_config()).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def planes(generator: TriPlaneGenerator) -> torch.Tensor:
    return generator.planes(generator.mapping(torch.randn(2, generator.config.z_dim)))


def test_shapes(generator: TriPlaneGenerator, planes: torch.Tensor) -> None:
    config = generator.config
    assert planes.shape == (2, 3, config.backbone.out_channels // 3, 16, 16)
    output = generator.render(planes, CameraPose.from_vector(torch.zeros(2, 6)).camera(FACE_ORBIT))
    assert output.color.shape == (2, 3, config.resolution, config.resolution)
    assert output.alpha.shape == (2, 1, config.resolution, config.resolution)
    assert output.depth.shape == (2, 1, config.neural_resolution, config.neural_resolution)
    assert (output.color <= output.alpha + 1e-6).all()
    image = output.over(0.5)
    assert image.min() >= 0.0 and image.max() <= 1.0


def test_views_of_one_head_equal_single_renders(generator: TriPlaneGenerator, planes: torch.Tensor) -> None:
    cameras = CameraPose.from_vector(torch.randn(3, 6) * 0.1).camera(FACE_ORBIT)
    together = generator.render(planes[:1], cameras)
    alone = [generator.render(planes[:1], camera) for camera in cameras]
    assert torch.allclose(together.color, torch.cat([o.color for o in alone]), atol=1e-5)
    assert torch.allclose(together.depth, torch.cat([o.depth for o in alone]), atol=1e-4)


def test_same_input_same_picture(generator: TriPlaneGenerator, planes: torch.Tensor) -> None:
    cameras = CameraPose.from_vector(torch.zeros(2, 6)).camera(FACE_ORBIT)
    assert torch.equal(generator.render(planes, cameras).color, generator.render(planes, cameras).color)


def test_exact_skips_nothing(generator: TriPlaneGenerator, planes: torch.Tensor) -> None:
    strong = planes * 80.0  # opaque here and empty there
    cameras = CameraPose.from_vector(torch.zeros(2, 6)).camera(FACE_ORBIT)
    with use_backend("reference"):
        truth = generator.render(strong, cameras, superresolution=False)
    with use_backend("native"):
        exact = generator.render(strong, cameras, superresolution=False, exact=True)
        fast = generator.render(strong, cameras, superresolution=False)
    assert torch.allclose(exact.color, truth.color, atol=1e-5)
    assert torch.allclose(exact.alpha, truth.alpha, atol=1e-5)
    assert (fast.color - exact.color).abs().max() > 1e-5


def film_of_columns(generator: TriPlaneGenerator, views: int) -> torch.Tensor:
    """A film that changes the colours of every pixel in its own way."""
    config = generator.config
    random = torch.Generator().manual_seed(1)
    return torch.randn(views, config.neural_resolution**2, 2 * config.decoder_hidden, generator=random)


@pytest.mark.parametrize("heads", [1, 2])
def test_film_belongs_to_pixels_row_by_row(generator: TriPlaneGenerator, planes: torch.Tensor, heads: int) -> None:
    cameras = CameraPose.from_vector(torch.randn(2, 6) * 0.1).camera(FACE_ORBIT)
    film, side = film_of_columns(generator, 2), generator.config.neural_resolution
    plain = generator.render(planes[:heads], cameras, superresolution=False)
    whole = generator.render(planes[:heads], cameras, superresolution=False, film=film)
    assert torch.equal(whole.alpha, plain.alpha) and torch.equal(whole.depth, plain.depth)
    for view, row, column in ((0, 0, 1), (1, side - 1, 2), (1, 5, 0)):
        only = torch.zeros_like(film)
        only[view, row * side + column] = film[view, row * side + column]
        color = generator.render(planes[:heads], cameras, superresolution=False, film=only).color
        is_changed = (color != plain.color).any(dim=1)
        assert is_changed.nonzero().tolist() == [[view, row, column]]
        assert torch.allclose(color[view, :, row, column], whole.color[view, :, row, column], atol=1e-6)


def test_film_of_rays_and_of_given_samples(generator: TriPlaneGenerator, planes: torch.Tensor) -> None:
    origins = torch.tensor([0.0, 0.0, 2.7]).expand(2, 5, 3)
    directions = torch.nn.functional.normalize(torch.randn(2, 5, 3) * 0.05 - torch.tensor([0.0, 0.0, 1.0]), dim=-1)
    film = film_of_columns(generator, 2)[:, :5].requires_grad_()
    distances = torch.linspace(2.3, 3.1, 20).expand(2, 5, 20)
    for function, rays in (
        (generator.march, (origins, directions, distances)),
        (generator.render_rays, (origins, directions)),
    ):
        found = []
        for backend in ("native", "reference"):
            with use_backend(backend):  # type: ignore[arg-type]
                output = function(planes, *rays, film)
            found.append((output.features, *torch.autograd.grad(output.features.square().sum(), film)))
        for ours, theirs in zip(*found, strict=True):
            assert torch.allclose(ours, theirs, atol=1e-4 * theirs.abs().max().item())


def test_density_is_zero_outside_of_the_box(generator: TriPlaneGenerator, planes: torch.Tensor) -> None:
    density, color = generator.query(planes, torch.tensor([[[0.0, 0.0, 0.6], [0.1, 0.0, 0.0]]]).expand(2, -1, -1))
    assert (density[:, 0] == 0).all()
    assert (density[:, 1] > 0).all()
    assert color.shape == (2, 2, 3)


def test_truncation_pulls_to_the_mean(generator: TriPlaneGenerator) -> None:
    z = torch.randn(4, generator.config.z_dim)
    full, half = generator.mapping(z), generator.mapping(z, truncation_psi=0.5)
    assert torch.allclose(half, generator.w_avg + 0.5 * (full - generator.w_avg), atol=1e-6)
    assert torch.allclose(generator.mapping(z, truncation_psi=0.0), generator.w_avg.expand_as(full), atol=1e-6)


def test_mapping_sees_categories_switches_and_ramps() -> None:
    base = mini(4, categories=((0, 2, (0.0, 1.0)),), switches=((3, 0.5),), ramps=((3, 0.5), (2, -1.0)))
    mapping = TriPlaneGenerator(base).backbone["mapping"]
    features = mapping.features(torch.tensor([[0.5, 0.0, 0.0, 0.6], [1.5, 0.0, 0.0, 0.4]]))  # type: ignore[operator]
    assert features[:, 4:].tolist() == [
        pytest.approx([0.0, 2.0, 2.0, 0.2, 2.0]),
        pytest.approx([2.0, 0.0, 0.0, 0.0, 2.0]),
    ]


def test_shortcut_adds_a_linear_part_to_w() -> None:
    config = MappingConfig(
        z_dim=2, w_dim=3, layers=1, lr_multiplier=1.0, normalise_z=False, ramps=((0, 1.0),), shortcut=True
    )
    mapping = MappingNetwork(config)
    with torch.no_grad():
        mapping.fc0.weight.zero_()  # type: ignore[union-attr, operator]
        mapping.shortcut.weight.copy_(torch.eye(3) * 3**0.5)  # three features: weights are used over the root of 3
    w = mapping(torch.tensor([[1.5, -2.0]]))
    assert torch.allclose(w, torch.tensor([[1.5, -2.0, 1.0]]))  # z, and twice what is above the ramp's threshold


def test_maps_are_blended_in_the_shares_of_w() -> None:
    config = BackboneConfig(
        w_dim=2, channels=(4, 4), out_channels=4, convs_per_block=(1, 2), painting="subpixel", blended_maps=2
    )
    maps = BlendedMaps(config, channels=4, side=2)
    w = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert (maps(w) == 0.0).all()  # at first they change nothing
    torch.nn.init.normal_(maps.maps)
    first, second, both = maps(w)
    assert not torch.allclose(first, second)
    assert torch.allclose(both, first + second, atol=1e-6)
    assert maps(w).shape == (3, 4, 2, 2)


def test_rejects_cameras_that_do_not_fit(generator: TriPlaneGenerator, planes: torch.Tensor) -> None:
    with pytest.raises(ShapeError, match="2 heads cannot be seen by 3 cameras"):
        generator.render(planes, CameraPose.from_vector(torch.zeros(3, 6)).camera(FACE_ORBIT))
    with pytest.raises(ShapeError, match=r"^film must be \[2, \d+, \d+\], got \[2, 3, 4\]$"):
        generator.render(
            planes, CameraPose.from_vector(torch.zeros(2, 6)).camera(FACE_ORBIT), film=torch.zeros(2, 3, 4)
        )
    with pytest.raises(ShapeError, match="w_plus"):
        generator.planes(torch.zeros(1, 1, 1))
    with pytest.raises(ShapeError, match="z must be"):
        generator.mapping(torch.zeros(1, 3))


def test_config_survives_json() -> None:
    import json

    config = mini(4, categories=((0, 2, (0.0, 1.0)),), switches=((3, 0.5),), ramps=((2, 0.25),))
    assert GeneratorConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_ffhq_has_the_parameters_of_the_official_release() -> None:
    with torch.device("meta"):
        generator = TriPlaneGenerator(ffhq512_128())
    assert sum(p.numel() for p in generator.parameters()) == 30_662_136
    assert generator.config.num_ws == 14
    names = set(generator.state_dict())
    assert {"backbone.synthesis.b256.conv1.noise_const", "superresolution.block1.torgb.affine.bias"} <= names


def test_gradients_reach_every_parameter() -> None:
    generator = TriPlaneGenerator(tiny_config())
    planes = generator.planes(generator.mapping(torch.randn(1, 8)))
    output = generator.render(planes, CameraPose.from_angles(0.1).camera(FACE_ORBIT))
    (output.color.square().sum() + output.alpha.sum()).backward()
    # the head of super-resolution starts at zero, so what lies before it gets nothing at first
    missing = [n for n, p in generator.named_parameters() if p.grad is None]
    assert not missing


@pytest.mark.slow
def test_the_backbone_can_be_compiled_for_training() -> None:
    torch.manual_seed(0)
    generator = TriPlaneGenerator(tiny_config())
    w_plus = generator.mapping(torch.randn(2, 8)).detach()
    synthesis = generator.backbone["synthesis"]
    expected = synthesis(w_plus)
    compiled = torch.compile(synthesis.forward)(w_plus)
    assert torch.allclose(compiled, expected, atol=1e-4)
    compiled.square().sum().backward()
    assert all(p.grad is not None for p in synthesis.parameters())
