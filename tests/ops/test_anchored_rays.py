"""Anchored rays: values by hand, native against reference, gradients of first and second order."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from geoinv.errors import ShapeError
from geoinv.models.anchor_grid import Grid, fill_grid
from geoinv.ops.anchored_rays import (
    FEATURES,
    AnchoredHeads,
    AnchorVolumes,
    CanonicalSpace,
    change_by_film,
    decode_points,
    march_anchored,
    read_anchor,
    read_anchor_reference,
    render_anchored,
    sample_canonical,
    sample_canonical_reference,
)
from geoinv.ops.anchored_rays.reference import decode_anchored, foveated, front_share
from geoinv.ops.render_rays import DecoderWeights, RaySampling

FACE_BOX = ((-0.2, 0.2), (-0.3, 0.1), (0.0, 0.4))
SPACE = CanonicalSpace()


def random_planes(count: int = 33, *, channels: int = 5, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(count + channels)
    planes = torch.randn(batch, 4, channels, 7, 7, generator=random)
    places = (torch.rand(batch, count, 3, generator=random) * 2.4 - 1.2).clamp(-1.0, 1.0)  # some at the very edge
    front = torch.rand(batch, count, generator=random).mul(2.0).sub(0.5).clamp(0.0, 1.0)  # half of them 0 or 1
    return planes, places, front


def random_heads(batch: int = 2) -> AnchoredHeads:
    random = torch.Generator().manual_seed(3)
    planes = torch.randn(batch, 4, 5, 8, 8, generator=random)
    whole, face = (0.1 * torch.randn(batch, side, side, side, 8, generator=random) for side in (8, 16))
    return AnchoredHeads(planes, AnchorVolumes(whole, face, FACE_BOX), torch.randn(batch, 6, generator=random))


def random_decoder() -> DecoderWeights:
    random = torch.Generator().manual_seed(4)
    shapes = ((6, 9), (6,), (1 + FEATURES, 6), (1 + FEATURES,))
    return DecoderWeights(*(torch.randn(*shape, generator=random) for shape in shapes))


def random_rays(batch: int = 2, count: int = 5) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(5)
    origins = torch.tensor([0.0, 0.0, 2.7]).expand(batch, count, 3)
    aims = 0.6 * torch.rand(batch, count, 3, generator=random) - 0.3
    return origins, torch.nn.functional.normalize(aims - origins, dim=-1)


def test_canonical_planes_hand_computed() -> None:
    planes = torch.zeros(1, 4, 1, 2, 2)
    planes[0, 0, 0] = torch.tensor([[1.0, 2.0], [3.0, 4.0]])  # front: rows y, columns x
    planes[0, 1, 0] = torch.tensor([[10.0, 20.0], [30.0, 40.0]])  # back
    planes[0, 2, 0] = torch.tensor([[100.0, 200.0], [300.0, 400.0]])  # top: rows z, columns x
    planes[0, 3, 0] = torch.tensor([[1e3, 2e3], [3e3, 4e3]])  # side: rows y, columns z
    place = torch.tensor([[[0.5, -0.5, 0.5]]])  # pixel centres of two lie at +-0.5
    for front, expected in ((1.0, 2.0), (0.0, 20.0), (0.25, 0.25 * 2.0 + 0.75 * 20.0)):
        sampled = sample_canonical(planes, place, torch.tensor([[front]])).item()
        assert sampled == pytest.approx((expected + 400.0 + 2000.0) / 3.0)
    beyond = sample_canonical(planes, torch.tensor([[[1.0, -1.0, 1.0]]]), torch.tensor([[1.0]]))
    assert beyond.item() == pytest.approx((2.0 + 400.0 + 2000.0) / 3.0)


def test_front_and_back_share_no_texel_of_the_frontal_plane() -> None:
    planes, places, _ = random_planes()
    planes.requires_grad_()
    for front, untouched in ((1.0, 1), (0.0, 0)):
        sampled = sample_canonical(planes, places, torch.full(places.shape[:2], front))
        (gradient,) = torch.autograd.grad(sampled.square().sum(), planes)
        assert not gradient[:, untouched].any()
        assert gradient[:, 1 - untouched].any()


@pytest.mark.parametrize("channels", [1, 5, 32])
@pytest.mark.parametrize("count", [0, 1, 31, 600])
def test_canonical_planes_match_reference(channels: int, count: int) -> None:
    planes, places, front = random_planes(count, channels=channels)
    native, reference = (f(planes, places, front) for f in (sample_canonical, sample_canonical_reference))
    assert native.shape == reference.shape
    assert torch.allclose(native, reference, atol=1e-5)


def test_canonical_planes_gradients_match_reference() -> None:
    planes, places, front = random_planes()
    planes.requires_grad_()
    given = torch.randn(2, 33, 5, generator=torch.Generator().manual_seed(0))
    gradients = []
    for function in (sample_canonical, sample_canonical_reference):
        gradients += torch.autograd.grad(function(planes, places, front), planes, given)
    assert torch.allclose(*gradients, atol=1e-5)


def test_canonical_planes_second_order() -> None:
    planes, places, front = random_planes(4)
    planes.requires_grad_()
    penalties = []
    for function in (sample_canonical, sample_canonical_reference):
        value = function(planes, places, front).exp().sum() + planes.pow(3).sum()
        (first,) = torch.autograd.grad(value, planes, create_graph=True)
        penalties += torch.autograd.grad(first.square().sum(), planes)
    assert torch.allclose(*penalties, rtol=1e-4)


@pytest.mark.parametrize("count", [0, 1, 500])
def test_anchor_matches_reference(count: int) -> None:
    volumes = random_heads().volumes
    points = torch.rand(2, count, 3, generator=torch.Generator().manual_seed(1)) * 1.1 - 0.55
    assert torch.allclose(read_anchor(volumes, points), read_anchor_reference(volumes, points), atol=1e-6)


def test_the_face_has_its_own_volume() -> None:
    volumes = AnchorVolumes(torch.zeros(1, 8, 8, 8, 8), torch.ones(1, 8, 8, 8, 8), FACE_BOX)
    # in the middle, at the border, half way through a margin of a tenth of 0.4, outside
    points = torch.tensor([[[0.0, -0.1, 0.2], [0.2, -0.1, 0.2], [-0.18, -0.1, 0.2], [0.0, 0.3, 0.2]]])
    torch.testing.assert_close(read_anchor(volumes, points)[0, :, 3], torch.tensor([1.0, 0.0, 0.5, 0.0]))


def test_filling_matches_reference() -> None:
    random = torch.Generator().manual_seed(2)
    places = 0.6 * torch.randn(2, 300, 3, generator=random)  # some are outside
    normals = torch.nn.functional.normalize(torch.randn(2, 300, 3, generator=random), dim=-1)
    homes, parts, area = torch.randn(300, 3, generator=random), torch.rand(300, generator=random), torch.rand(300)
    for side in (8, 16, 32):
        grid = Grid(torch.tensor([-0.5, -0.4, -0.5]), torch.tensor([0.5, 0.5, 0.3]), side)
        native = fill_grid(grid, places, normals, homes, parts, area, push=0.02)
        reference = fill_grid(grid, places.clone().requires_grad_(), normals, homes, parts, area, push=0.02).detach()
        assert float((native - reference).abs().median()) < 1e-6
        assert torch.allclose(native, reference, atol=2e-3)


def test_the_fovea_is_monotone_and_reaches_the_ends() -> None:
    line = torch.linspace(-0.5, 0.5, 101)[:, None].expand(-1, 3)
    places = foveated(line, SPACE)
    torch.testing.assert_close(places[[0, -1]], torch.tensor([[-1.0] * 3, [1.0] * 3]))
    steps = places.diff(dim=0)
    assert bool((steps > 0.0).all())
    assert float(steps[50, 0] / steps[0, 0]) == pytest.approx((1.0 + 3.0 * 0.5) ** 2, rel=0.1)
    assert torch.equal(front_share(torch.tensor([-0.06, 0.0, 0.06]), SPACE), torch.tensor([0.0, 0.5, 1.0]))


def test_decoder_starts_from_the_mesh() -> None:
    decoder = DecoderWeights(torch.zeros(6, 9), torch.zeros(6), torch.zeros(8, 6), torch.zeros(8))
    anchor = torch.tensor([[[0.0, 0.0, 0.0, distance, 0.0, 0.0, 1.0, 0.0] for distance in (-1.0, 0.0, 1.0)]])
    raw, features = decode_anchored(torch.zeros(1, 3, 5), anchor, torch.zeros(1, 6), decoder, SPACE)
    torch.testing.assert_close(raw, torch.tensor([[296.0, 146.0, -4.0]]))
    torch.testing.assert_close(features[0, 0], torch.tensor([0.5, 0.5, 0.5, 0.5, 0.0, 0.0, 1.0]))


def test_film_moves_colours_alone() -> None:
    heads, decoder = random_heads(), random_decoder()
    points = torch.rand(2, 7, 3, generator=torch.Generator().manual_seed(1)) - 0.5
    raw, features = decode_points(heads, points, decoder, SPACE)
    film = torch.cat([torch.full((2, 7, 6), 0.5), torch.zeros(2, 7, 6)], dim=-1)
    with_film, other = decode_points(heads, points, decoder, SPACE, film)
    torch.testing.assert_close(with_film, raw)
    assert not torch.allclose(other, features)
    torch.testing.assert_close(change_by_film(heads, points, decoder, SPACE, film), other - features)
    unchanged = decode_points(heads, points, decoder, SPACE, torch.zeros(2, 7, 12))[1]
    torch.testing.assert_close(unchanged, features)


@pytest.mark.parametrize("count", [0, 1, 64, 97])
def test_change_by_film_matches_reference(count: int) -> None:
    random = torch.Generator().manual_seed(3)
    heads, decoder = random_heads(), random_decoder()
    points, film = torch.rand(2, count, 3, generator=random) - 0.5, torch.randn(2, count, 12, generator=random)
    native = change_by_film(heads, points, decoder, SPACE, film)
    asked = film.clone().requires_grad_()  # which goes point by point
    reference = change_by_film(heads, points, decoder, SPACE, asked)
    assert reference.requires_grad and not native.requires_grad
    torch.testing.assert_close(native, reference.detach(), atol=2e-6, rtol=1e-5)


def test_change_by_film_rejects_other_shapes() -> None:
    heads, decoder = random_heads(), random_decoder()
    with pytest.raises(ShapeError, match=r"points must be \[2, N, 3\] and film of 12 numbers each, got"):
        change_by_film(heads, torch.zeros(2, 5, 3), decoder, SPACE, torch.zeros(2, 4, 12))


def test_a_solid_sphere_is_seen_at_its_surface() -> None:
    """A volume whose distance is that of a sphere of radius 0.3: opaque inside, nothing outside, normals at the hit."""
    ticks = (torch.arange(64) + 0.5) / 64 - 0.5
    z, y, x = torch.meshgrid(ticks, ticks, ticks, indexing="ij")
    centres = torch.stack([x, y, z], dim=-1)
    length = centres.norm(dim=-1, keepdim=True)
    whole = torch.cat([torch.zeros(64, 64, 64, 3), length - 0.3, centres / length, torch.zeros(64, 64, 64, 1)], dim=-1)
    volumes = AnchorVolumes(whole[None], torch.zeros(1, 8, 8, 8, 8), ((0.48, 0.49),) * 3)
    heads = AnchoredHeads(torch.zeros(1, 4, 5, 8, 8), volumes, torch.zeros(1, 6))
    decoder = DecoderWeights(torch.zeros(6, 9), torch.zeros(6), torch.zeros(8, 6), torch.zeros(8))
    sampling = RaySampling(40, 24, "box", 0.0, 0.0, 1.0, "zy")
    origins = torch.tensor([[[0.0, 0.0, 2.7], [0.2, 0.0, 2.7], [0.4, 0.0, 2.7]]])
    directions = torch.tensor([0.0, 0.0, -1.0]).expand(1, 3, 3)
    seen = render_anchored(heads, origins, directions, decoder, sampling, replace(SPACE, softness=0.001))
    torch.testing.assert_close(seen.alpha[0], torch.tensor([1.0, 1.0, 0.0]), atol=0.02, rtol=0.0)
    depth = torch.tensor([2.4, 2.7 - (0.09 - 0.04) ** 0.5])
    torch.testing.assert_close(seen.distance[0, :2], depth, atol=0.01, rtol=0.0)
    normal = torch.nn.functional.normalize(seen.features[0, :2, 4:], dim=-1)
    torch.testing.assert_close(normal, torch.tensor([[0.0, 0.0, 1.0], [2 / 3, 0.0, 5**0.5 / 3]]), atol=0.05, rtol=0.0)


def test_gradients_of_everything_that_rays_read() -> None:
    heads, decoder = random_heads(), random_decoder()
    origins, directions = random_rays()
    tensors = [heads.planes, heads.volumes.whole, heads.volumes.face, heads.hidden_bias, *decoder]
    for tensor in tensors:
        tensor.requires_grad_()
    distances = torch.linspace(2.3, 3.1, 12).expand(2, 5, 12)
    output = march_anchored(heads, origins, directions, distances, decoder, SPACE)
    assert output.features.shape == (2, 5, FEATURES)
    gradients = torch.autograd.grad(output.features.sum() + output.distance.sum(), tensors, allow_unused=True)
    unused = [index for index, gradient in enumerate(gradients) if gradient is None]
    assert unused == [5]  # the decoder's own hidden bias
    assert all(gradient.isfinite().all() and gradient.any() for gradient in gradients if gradient is not None)


@pytest.mark.parametrize("name", ["planes", "places", "front"])
def test_rejects_wrong_shapes(name: str) -> None:
    planes, places, front = random_planes()
    wrong = {"planes": planes, "places": places, "front": front}
    wrong[name] = wrong[name][..., :2]
    with pytest.raises(ShapeError, match=name):
        sample_canonical(**wrong)


def test_rejects_points_of_other_heads() -> None:
    with pytest.raises(ShapeError, match="points must be"):
        read_anchor(random_heads().volumes, torch.zeros(3, 5, 3))
