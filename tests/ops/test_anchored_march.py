"""The fused march of anchored rays: native against the reference, gradients, threads, and when it is not taken."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from geoinv.errors import ShapeError
from geoinv.ops._build import backend_choice, use_backend
from geoinv.ops.anchored_rays import (
    FEATURES,
    PLANES,
    AnchoredHeads,
    AnchorVolumes,
    CanonicalSpace,
    march_anchored,
    points,
)
from geoinv.ops.render_rays import DecoderWeights, RayOutput

from .test_render_rays import assert_as_good_as_float32, parts, relative

FACE_BOX = ((-0.2, 0.2), (-0.3, 0.1), (0.0, 0.4))
SPACE = CanonicalSpace(density=20.0, softness=0.03, gain=3.0)  # soft, so that more than one sample of a ray is seen

Case = tuple[Tensor, ...]  # planes, hidden bias, hidden weight, output weight and bias; volumes; rays; film or nothing
TRAINED = 5


@pytest.fixture
def native() -> None:
    """What is tested belongs to the kernels alone."""
    if backend_choice() == "reference":
        pytest.skip("the reference is asked for")
    assert points.is_native(torch.zeros(1))


def random_case(
    *,
    batch: int = 2,
    channels: int = 32,
    side: int = 16,
    rays: int = 37,
    samples: int = 16,
    hidden: int = 64,
    is_film: bool = False,
) -> Case:
    """Rays towards a box of side 1 that enter and leave it, on both sides of the slabs' border."""
    random = torch.Generator().manual_seed(channels * 1000 + side * 100 + rays + samples)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random)

    told = channels + len(SPACE.distance_scales) + 1
    origins = F.normalize(normal(batch, rays, 3), dim=-1) * 1.5
    directions = F.normalize(normal(batch, rays, 3) * 0.3 - origins, dim=-1)
    distances = (torch.rand(batch, rays, samples, generator=random) * 1.4 + 0.8).sort(dim=-1).values
    return (
        normal(batch, PLANES, channels, side, side),
        normal(batch, hidden) * 0.3,
        normal(hidden, told) * (1.7 / math.sqrt(told)),
        normal(1 + FEATURES, hidden) * (2.0 / math.sqrt(hidden)),
        normal(1 + FEATURES) * 0.3,
        *(0.1 * normal(batch, cells, cells, cells, 8) for cells in (8, 16)),
        *(origins, directions, distances),
        *([0.3 * normal(batch, rays, 2 * hidden)] if is_film else []),
    )


def marched(case: Case) -> RayOutput:
    planes, bias, hidden_weight, output_weight, output_bias, whole, face, origins, directions, distances, *film = case
    heads = AnchoredHeads(planes, AnchorVolumes(whole, face, FACE_BOX), bias)
    decoder = DecoderWeights(hidden_weight, torch.zeros_like(bias[0]), output_weight, output_bias)
    return march_anchored(heads, origins, directions, distances, decoder, SPACE, film=film[0] if film else None)


def gradients(case: Case, wanted: range = range(TRAINED), outputs: range = range(4)) -> tuple[Tensor, ...]:
    leaves = [tensor.clone().requires_grad_(index in wanted) for index, tensor in enumerate(case)]
    seen = parts(marched(tuple(leaves)))
    found = [seen[index] for index in outputs]
    random = torch.Generator().manual_seed(5)
    cotangents = [torch.randn(output.shape, generator=random).to(output) for output in found]
    return torch.autograd.grad(found, [leaves[index] for index in wanted], cotangents)


def three_ways(find: Any, case: Case) -> tuple[Any, Any, Any]:
    """Native, the reference, and the reference in float64."""
    with use_backend("reference"):
        plain, truth = find(case), find(tuple(tensor.double() for tensor in case))
    return find(case), plain, truth


SIZES: tuple[dict[str, Any], ...] = (
    {},
    {"channels": 5, "hidden": 7, "side": 9, "samples": 7},
    {"channels": 48, "hidden": 33, "samples": 1},
    {"samples": 97, "rays": 3},
    {"batch": 1, "rays": 300},
    {"batch": 1, "rays": 1, "side": 1},
    {"is_film": True},
    {"is_film": True, "channels": 5, "hidden": 7, "samples": 31},
)


class TestMarchAnchored:
    def test_hand_computed(self) -> None:
        # a distance of 0 everywhere, and a decoder that knows nothing: raw = floor + density / 2
        case = [torch.zeros_like(tensor) for tensor in random_case(batch=1, rays=1, samples=3)]
        case[7:10] = (
            torch.tensor([[[0.0, 0.0, 1.0]]]),
            torch.tensor([[[0.0, 0.0, -1.0]]]),
            torch.tensor([[[0.9, 1.0, 1.1]]]),
        )
        case[5][..., 5] = 2.0  # normals along y
        case[6][..., 5] = 2.0
        output = marched(tuple(case))
        density = math.log1p(math.exp(SPACE.floor + 0.5 * SPACE.density - 1.0))
        alpha = 1.0 - math.exp(-density * 0.2)
        assert output.alpha.item() == pytest.approx(alpha, rel=1e-5)
        assert output.features[0, 0].tolist() == pytest.approx([0.5 * alpha] * 4 + [0.0, 2.0 * alpha, 0.0], rel=1e-5)
        first, second = 1.0 - math.exp(-density * 0.1), math.exp(-density * 0.1) * (1.0 - math.exp(-density * 0.1))
        assert output.weights.flatten().tolist() == pytest.approx([first, second], rel=1e-5)
        assert output.distance.item() == pytest.approx((first * 0.95 + second * 1.05) / (first + second), rel=1e-5)

    @pytest.mark.parametrize("sizes", SIZES)
    def test_matches_reference(self, sizes: dict[str, Any]) -> None:
        case = random_case(**sizes)
        assert_as_good_as_float32(*three_ways(lambda way: parts(marched(way)), case))

    @pytest.mark.parametrize("sizes", SIZES)
    def test_gradient_matches_reference(self, sizes: dict[str, Any]) -> None:
        assert_as_good_as_float32(*three_ways(gradients, random_case(**sizes)))

    @pytest.mark.parametrize("output", range(4))
    def test_gradient_of_each_output(self, output: int) -> None:
        found = three_ways(lambda way: gradients(way, range(1), range(output, output + 1)), random_case())
        assert_as_good_as_float32(*found)

    def test_only_wanted_gradients(self) -> None:
        case = random_case()
        together = gradients(case)
        for index in range(TRAINED):
            assert torch.equal(*gradients(case, range(index, index + 1)), together[index])

    def test_gradients_behind_a_surface_are_not_missed(self, native: None, monkeypatch: pytest.MonkeyPatch) -> None:
        """Hard surfaces: all but the first samples of most rays are left out, and what is left is the gradient."""
        monkeypatch.setattr(f"{__name__}.SPACE", CanonicalSpace(gain=1.0))
        case = random_case(samples=40)
        assert_as_good_as_float32(*three_ways(gradients, case))
        assert (marched(case).weights[..., :-1].cumsum(dim=-1) > 1.0 - 1e-7).float().mean() > 0.2

    def test_second_order_is_the_truth(self) -> None:
        penalties = []
        for backend in ("auto", "reference"):
            with use_backend(backend):  # type: ignore[arg-type]
                planes, bias, weight, *rest = (t.clone() for t in random_case(rays=5, samples=4, side=4, channels=5))
                planes.requires_grad_(), weight.requires_grad_()
                scalar = marched((planes, bias, weight, *rest)).features.exp().sum() + (planes**3).sum()
                (first,) = torch.autograd.grad(scalar, planes, create_graph=True)
                penalties.append(torch.autograd.grad(first.square().sum(), (planes, weight)))
        for ours, theirs in zip(*penalties, strict=True):
            assert relative(ours, theirs) < 1e-3

    @pytest.mark.parametrize("index", [5, 6, 7, 8, 9, 10])
    def test_volumes_rays_and_film_keep_their_gradients(self, index: int) -> None:
        """The kernels have none for these: such a march goes point by point."""
        case = random_case(rays=9, is_film=True)
        wanted, outputs = range(index, index + 1), range(1 if index == 10 else 4)  # film moves features alone
        assert_as_good_as_float32(*three_ways(lambda way: gradients(way, wanted, outputs), case))

    def test_film_moves_features_alone(self) -> None:
        *case, film = random_case(is_film=True)
        zero = marched((*case, torch.zeros_like(film)))
        for ours, theirs in zip(parts(marched((*case, film)))[1:], parts(zero)[1:], strict=True):
            assert torch.equal(ours, theirs)
        assert torch.equal(zero.features, marched(tuple(case)).features)
        assert not torch.allclose(marched((*case, film)).features, zero.features, atol=1e-2)

    def test_no_rays_and_strides(self) -> None:
        case = random_case(rays=5, samples=6)
        strided = tuple(tensor.movedim(0, -1).contiguous().movedim(-1, 0) for tensor in case)
        for ours, theirs in zip(gradients(strided), gradients(case), strict=True):
            assert torch.equal(ours, theirs)
        none = (*case[:7], *(tensor[:, :0] for tensor in case[7:10]))
        assert marched(none).features.shape == (2, 0, FEATURES)
        assert gradients(none)[0].abs().sum() == 0.0

    def test_threads_change_nothing(self, native: None, request: pytest.FixtureRequest) -> None:
        before = torch.get_num_threads()
        request.addfinalizer(lambda: torch.set_num_threads(before))
        found = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append((*parts(marched(random_case(rays=130))), *gradients(random_case(rays=130))))
        assert all(torch.equal(one, three) for one, three in zip(*found, strict=True))

    def test_what_is_not_a_number_is_seen(self, native: None) -> None:
        """Such a displacement reads a texel all the same, instead of memory outside of the planes."""
        case = random_case()
        case[5].fill_(math.nan)
        case[6].fill_(math.nan)
        output = marched(case)
        assert output.alpha.isnan().any()

    @pytest.mark.parametrize(
        ("index", "name"), [(0, "planes"), (7, "origins"), (8, "directions"), (9, "distances"), (10, "film")]
    )
    def test_rejects_wrong_shapes(self, index: int, name: str) -> None:
        case = list(random_case(is_film=True))
        case[index] = case[index][:, :-1]
        with pytest.raises(ShapeError, match=name):
            marched(tuple(case))
