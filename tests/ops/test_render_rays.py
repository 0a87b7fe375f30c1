"""Rays through planes: by hand, native against reference, gradients, threads, instruction sets, and what is skipped."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from geoinv.errors import ShapeError
from geoinv.ops._build import backend_choice
from geoinv.ops.render_rays import (
    SKIP_TOLERANCE,
    DecoderWeights,
    RayOutput,
    RaySampling,
    checks,
    march,
    march_rays,
    march_rays_reference,
    render_rays,
    render_rays_reference,
    rendering,
)
from geoinv.ops.render_rays.limits import SkipLimits
from geoinv.ops.sample_planes import ThirdPlane

Case = tuple[Tensor, ...]  # planes, origins, directions, distances, decoder's four


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    rendering._PREPARED.clear()
    yield
    rendering._PREPARED.clear()


@pytest.fixture
def native() -> None:
    """What is tested belongs to the kernels alone."""
    if backend_choice() == "reference":
        pytest.skip("the reference is asked for")
    assert checks.is_native(torch.zeros(1))


def random_case(
    *,
    batch: int = 2,
    channels: int = 32,
    side: int = 16,
    rays: int = 37,
    samples: int = 20,
    hidden: int = 64,
    features: int = 16,
    density: float = 3.0,
) -> Case:
    """Rays towards a box of side 1 that enter and leave it, so that some points lie outside."""
    random = torch.Generator().manual_seed(channels * 1000 + side * 100 + rays + samples)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random)

    origins = torch.nn.functional.normalize(normal(batch, rays, 3), dim=-1) * 1.5
    directions = torch.nn.functional.normalize(normal(batch, rays, 3) * 0.3 - origins, dim=-1)
    distances = (torch.rand(batch, rays, samples, generator=random) * 1.4 + 0.8).sort(dim=-1).values
    output_weight = normal(1 + features, hidden) * (2.0 / math.sqrt(hidden))
    output_weight[0] *= density
    decoder = (
        normal(hidden, channels) * (1.7 / math.sqrt(channels)),
        normal(hidden) * 0.3,
        output_weight,
        normal(1 + features) * 0.3,
    )
    return (normal(batch, 3, channels, side, side) * 2.0, origins, directions, distances, *decoder)


def marched(function: Any, case: Case, third_plane: ThirdPlane = "zy") -> RayOutput:
    return function(*case[:4], DecoderWeights(*case[4:]), box_side=1.0, third_plane=third_plane)


def parts(output: RayOutput) -> tuple[Tensor, ...]:
    return (output.features, output.alpha, output.distance, output.weights)


def gradients(function: Any, case: Case, third_plane: ThirdPlane = "zy") -> tuple[Tensor, ...]:
    leaves = tuple(tensor.clone().requires_grad_() for tensor in case)
    outputs = parts(marched(function, leaves, third_plane))
    random = torch.Generator().manual_seed(5)
    cotangents = [torch.randn(output.shape, generator=random).to(output) for output in outputs]
    return torch.autograd.grad(outputs, leaves, cotangents)


def relative(value: Tensor, truth: Tensor) -> float:
    return ((value.double() - truth.double()).norm() / truth.double().norm().clamp_min(1e-12)).item()


def assert_as_good_as_float32(value: tuple[Tensor, ...], plain: tuple[Tensor, ...], truth: tuple[Tensor, ...]) -> None:
    """Native may err as torch does in float32 (against float64), and twice that for another order of sums."""
    for ours, theirs, exact in zip(value, plain, truth, strict=True):
        assert ours.shape == exact.shape
        assert relative(ours, exact) <= 2.0 * relative(theirs, exact) + 2e-6


SAMPLING = RaySampling(12, 8, "box", 0.0, 0.0, 1.0, "zy")


class TestMarchRays:
    def test_hand_computed(self) -> None:
        # one channel of ones in all planes, one hidden unit: softplus(1 * 1 + 0) = log(1 + e) inside of the box
        planes = torch.ones(1, 3, 1, 4, 4)
        decoder = DecoderWeights(torch.ones(1, 1), torch.zeros(1), torch.tensor([[2.0], [1.0]]), torch.zeros(2))
        distances = torch.tensor([[[0.9, 1.0, 1.1]]])
        origins, directions = torch.tensor([[[0.0, 0.0, 1.0]]]), torch.tensor([[[0.0, 0.0, -1.0]]])
        output = march_rays(planes, origins, directions, distances, decoder, box_side=1.0, third_plane="zy")
        hidden = math.log1p(math.e)
        density = math.log1p(math.exp(2.0 * hidden - 1.0))
        alpha = 1.0 - math.exp(-density * 0.2)
        color = 1.002 / (1.0 + math.exp(-hidden)) - 0.001
        assert output.alpha.item() == pytest.approx(alpha, rel=1e-5)
        assert output.features.item() == pytest.approx(alpha * color, rel=1e-5)
        first, second = 1.0 - math.exp(-density * 0.1), math.exp(-density * 0.1) * (1.0 - math.exp(-density * 0.1))
        assert output.weights.flatten().tolist() == pytest.approx([first, second], rel=1e-5)
        assert output.distance.item() == pytest.approx((first * 0.95 + second * 1.05) / (first + second), rel=1e-5)

    @pytest.mark.parametrize("third_plane", ["zx", "zy"])
    @pytest.mark.parametrize(
        "sizes",
        [
            {},
            {"channels": 5, "hidden": 7, "features": 3, "side": 9, "samples": 7},
            {"channels": 48, "hidden": 33, "features": 17, "samples": 1},
            {"samples": 97, "rays": 3},
            {"batch": 1, "rays": 300},
            {"batch": 1, "rays": 1, "side": 1},
            {"rays": 0},
        ],
    )
    def test_matches_reference(self, third_plane: ThirdPlane, sizes: dict[str, int]) -> None:
        case = random_case(**sizes)  # type: ignore[arg-type]
        exact = tuple(tensor.double() for tensor in case)
        assert_as_good_as_float32(
            parts(marched(march_rays, case, third_plane)),
            parts(marched(march_rays_reference, case, third_plane)),
            parts(marched(march_rays_reference, exact, third_plane)),
        )
        if sizes.get("rays") != 0:
            assert_as_good_as_float32(
                gradients(march_rays, case, third_plane),
                gradients(march_rays_reference, case, third_plane),
                gradients(march_rays_reference, exact, third_plane),
            )

    @pytest.mark.parametrize("instructions", [0, 1, 2])
    def test_instruction_sets_agree(self, native: None, instructions: int, monkeypatch: pytest.MonkeyPatch) -> None:
        case = random_case()
        best, best_gradients = parts(marched(march_rays, case)), gradients(march_rays, case)
        if instructions >= torch.ops.geoinv.render_rays_instruction_sets():
            pytest.skip("this processor lacks them")
        monkeypatch.setattr(march, "BEST_INSTRUCTIONS", instructions)
        for ours, theirs in zip(
            (*parts(marched(march_rays, case)), *gradients(march_rays, case)), (*best, *best_gradients), strict=True
        ):
            assert relative(ours, theirs) < 2e-4

    def test_non_contiguous_inputs(self) -> None:
        case = random_case()
        plain = parts(marched(march_rays, case))
        for layout in ((0, 3, 4, 1, 2), (0, 1, 3, 4, 2), (4, 3, 2, 1, 0)):
            back = tuple(sorted(range(5), key=layout.__getitem__))
            planes = case[0].permute(layout).contiguous().permute(back)
            rays = tuple(t.transpose(1, 2).contiguous().transpose(1, 2) for t in case[1:4])
            strided = (planes, *rays, *case[4:])
            for ours, theirs in zip(parts(marched(march_rays, strided)), plain, strict=True):
                assert torch.equal(ours, theirs)
            for ours, theirs in zip(gradients(march_rays, strided), gradients(march_rays, case), strict=True):
                assert relative(ours, theirs) < 1e-6

    def test_only_wanted_gradients(self) -> None:
        case = random_case()
        planes = case[0].clone().requires_grad_()
        marched(march_rays, (planes, *case[1:])).alpha.sum().backward()
        reference = case[0].clone().requires_grad_()
        marched(march_rays_reference, (reference, *case[1:])).alpha.sum().backward()
        assert planes.grad is not None and reference.grad is not None
        assert relative(planes.grad, reference.grad) < 1e-4

    def test_second_order_is_the_truth(self) -> None:
        case = random_case(rays=5, samples=4, side=4)
        penalties = []
        for function in (march_rays, march_rays_reference):
            planes, weight = case[0].clone().requires_grad_(), case[6].clone().requires_grad_()
            output = marched(function, (planes, *case[1:6], weight, case[7]))
            scalar = output.features.exp().sum() + (planes**3).sum()
            (first,) = torch.autograd.grad(scalar, planes, create_graph=True)
            penalties.append(torch.autograd.grad(first.square().sum(), (planes, weight)))
        for ours, theirs in zip(*penalties, strict=True):
            assert relative(ours, theirs) < 1e-3

    def test_same_with_one_and_two_threads(self) -> None:
        case = random_case(rays=500)
        outputs = with_threads(lambda: parts(marched(march_rays, case)))
        assert all(torch.equal(a, b) for a, b in zip(*outputs, strict=True))

    @pytest.mark.parametrize("sizes", [{"batch": 1, "rays": 5000}, {"batch": 3, "rays": 100}, {"channels": 5}])
    def test_gradients_same_with_any_number_of_threads(self, native: None, sizes: dict[str, int]) -> None:
        case = random_case(**sizes, samples=4)
        one, *others = with_threads(lambda: gradients(march_rays, case), counts=(1, 2, 3, 5))
        for other in others:
            assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))

    def test_parts_of_a_heads_gradient_sum_to_the_reference(self) -> None:
        case = random_case(batch=1, rays=5000, samples=4)
        exact = tuple(tensor.double() for tensor in case)
        assert_as_good_as_float32(
            gradients(march_rays, case), gradients(march_rays_reference, case), gradients(march_rays_reference, exact)
        )

    def test_rejects_other_shapes(self) -> None:
        planes, origins, directions, distances, *decoder = random_case()
        for name, wrong in (
            ("planes", (planes[:, :2], origins, directions, distances)),
            ("origins", (planes, origins[:1], directions, distances)),
            ("directions", (planes, origins, directions[..., :2], distances)),
            ("distances", (planes, origins, directions, distances[:, :5])),
        ):
            with pytest.raises(ShapeError, match=name):
                marched(march_rays, (*wrong, *decoder))


def with_threads(function: Any, counts: tuple[int, ...] = (1, 2)) -> list[Any]:
    threads = torch.get_num_threads()
    outputs = []
    try:
        for count in counts:
            torch.set_num_threads(count)
            rendering._PREPARED.clear()
            outputs.append(function())
    finally:
        torch.set_num_threads(threads)
    return outputs


def rendered(function: Any, case: Case, sampling: RaySampling = SAMPLING, **options: Any) -> tuple[Tensor, ...]:
    output = function(*case[:3], DecoderWeights(*case[4:]), sampling, **options)
    return (output.features, output.alpha, output.distance)


def hollow_case(roughness: float = 0.05) -> Case:
    """A ball of density in a box that is really empty: what a trained head looks like to the renderer."""
    planes, origins, directions, distances, *decoder = random_case(side=64, rays=200)
    ticks = (torch.arange(64) + 0.5) / 64 - 0.5
    squares = ticks.square()
    planes = planes * roughness
    planes[:, 0, 0] = 3.0 * (squares[None, :] + squares[:, None])  # thirds of x² + y² and z², times 9
    planes[:, 1, 0] = 3.0 * squares[:, None].expand(64, 64)
    planes[:, 2, 0] = 0.0
    hidden_weight, hidden_bias, output_weight, output_bias = (weight.clone() for weight in decoder)
    hidden_weight[0], hidden_bias[0] = 0.0, 0.0
    hidden_weight[0, 0] = 40.0
    output_weight[0] *= 0.1
    output_weight[0, 0], output_bias[0] = -20.0, 70.0
    return (planes, origins, directions, distances, hidden_weight, hidden_bias, output_weight, output_bias)


class TestRenderRays:
    @pytest.mark.parametrize(
        "sampling",
        [
            SAMPLING,
            RaySampling(12, 8, "fixed", 0.9, 2.1, 1.0, "zx"),
            RaySampling(48, 48, "box", 0.0, 0.0, 0.8, "zy"),
            RaySampling(5, 0, "box", 0.0, 0.0, 1.0, "zy"),
            RaySampling(4, 1, "box", 0.0, 0.0, 1.0, "zx"),
            RaySampling(17, 33, "fixed", 1.0, 2.0, 1.0, "zy"),
        ],
    )
    @pytest.mark.parametrize("rays", [0, 1, 33])
    def test_exact_matches_reference(self, sampling: RaySampling, rays: int) -> None:
        case = random_case(rays=rays, density=0.5)
        case[1][:, :1] = torch.tensor([0.0, 9.0, 2.0])  # misses the box
        if rays == 0:
            assert rendered(render_rays, case, sampling)[0].shape == (2, 0, 16)
            return
        exact = tuple(tensor.double() for tensor in case)
        truth = rendered(render_rays_reference, exact, sampling)
        for ours, theirs in zip(rendered(render_rays, case, sampling, exact=True), truth, strict=True):
            assert torch.allclose(ours.double(), theirs, atol=2e-5)

    @pytest.mark.parametrize("instructions", [0, 1, 2])
    def test_instruction_sets_agree(self, native: None, instructions: int, monkeypatch: pytest.MonkeyPatch) -> None:
        case = random_case(density=0.5, side=33)
        best = rendered(render_rays, case)
        if instructions >= torch.ops.geoinv.render_rays_instruction_sets():
            pytest.skip("this processor lacks them")
        monkeypatch.setattr(rendering, "BEST_INSTRUCTIONS", instructions)
        for ours, theirs in zip(rendered(render_rays, case), best, strict=True):
            assert torch.allclose(ours, theirs, atol=2e-5)

    def test_skips_much_and_lacks_little(self, native: None) -> None:
        case = hollow_case()
        limits = SkipLimits.of(SKIP_TOLERANCE, SAMPLING)
        _, bounds = rendering._prepared(case[0], DecoderWeights(*case[4:]), SAMPLING, limits)
        assert (bounds < limits.empty_raw).float().mean() > 0.5
        # without a second pass the samples are given, and the bound holds as it is stated
        sampling = RaySampling(40, 0, "box", 0.0, 0.0, 1.0, "zy")
        fast, exact = rendered(render_rays, case, sampling), rendered(render_rays, case, sampling, exact=True)
        assert 0.05 < exact[1].mean() < 0.95
        for ours, theirs in zip(fast[:2], exact[:2], strict=True):
            assert (ours - theirs).abs().max() <= SKIP_TOLERANCE
            assert not torch.equal(ours, theirs)

    def test_second_pass_moves_little(self) -> None:
        case = hollow_case()
        sampling = RaySampling(32, 24, "box", 0.0, 0.0, 1.0, "zy")
        fast, exact = rendered(render_rays, case, sampling), rendered(render_rays, case, sampling, exact=True)
        for ours, theirs in zip(fast[:2], exact[:2], strict=True):
            assert (ours - theirs).abs().max() <= 2e-3

    @pytest.mark.parametrize("roughness", [0.05, 0.4])
    def test_bounds_hold(self, native: None, roughness: float) -> None:
        """No point of a cell is denser than the cell's bound."""
        case = hollow_case(roughness)
        limits = SkipLimits.of(SKIP_TOLERANCE, SAMPLING)
        for third_plane in ("zx", "zy"):
            sampling = RaySampling(8, 8, "box", 0.0, 0.0, 1.0, third_plane)  # type: ignore[arg-type]
            _, bounds = rendering._prepared(case[0], DecoderWeights(*case[4:]), sampling, limits)
            points = torch.rand(2, 40000, 3, generator=torch.Generator().manual_seed(1)) - 0.5
            cells = bounds.shape[1]
            on_border = ((points[:, ::2] * cells).round() / cells).clamp(-0.5, 0.5 - 1e-6)
            points[:, ::4], points[:, 1::4, :1] = on_border[:, ::2], on_border[:, 1::2, :1]
            x, y, z = ((points + 0.5) * cells).long().clamp_max(cells - 1).unbind(dim=-1)
            bound = bounds[torch.arange(2)[:, None], z, y, x]
            sampled = rendering_samples(case, points, third_plane)
            assert cells > 0
            assert (sampled <= bound).all()

    def test_gradient_matches_reference(self) -> None:
        case = random_case(density=0.5)
        found = []
        for function in (render_rays, render_rays_reference):
            leaves = tuple(tensor.clone().requires_grad_() for tensor in (case[0], case[4], case[1]))
            inputs = (leaves[0], leaves[2], case[2], case[3], leaves[1], *case[5:])
            features, alpha, _ = rendered(function, inputs)
            found.append(torch.autograd.grad(features.square().sum() + alpha.sum(), leaves))
        for ours, theirs in zip(*found, strict=True):
            assert relative(ours, theirs) < 1e-3

    def test_rays_that_are_not_numbers_harm_no_others(self, native: None) -> None:
        case = random_case(density=0.5)
        plain = rendered(render_rays, case)
        case[2][:, 5] = float("nan")
        for ours, theirs in zip(rendered(render_rays, case), plain, strict=True):
            others = [i for i in range(ours.shape[1]) if i != 5]
            assert torch.equal(ours[:, others], theirs[:, others])

    def test_changed_planes_are_prepared_anew(self) -> None:
        case = random_case(density=0.5)
        before = rendered(render_rays, case)
        case[0].mul_(0.5)
        after = rendered(render_rays, case)
        assert torch.allclose(after[0], rendered(render_rays_reference, case)[0], atol=1e-3)
        assert not torch.allclose(before[0], after[0], atol=1e-3)

    def test_same_with_one_and_two_threads(self) -> None:
        case = hollow_case()
        outputs = with_threads(lambda: rendered(render_rays, case))
        assert all(torch.equal(a, b) for a, b in zip(*outputs, strict=True))

    def test_the_reference_serves_where_it_is_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GEOINV_BACKEND", "reference")
        case = random_case()
        for ours, theirs in zip(rendered(render_rays, case), rendered(render_rays_reference, case), strict=True):
            assert torch.equal(ours, theirs)


def rendering_samples(case: Case, points: Tensor, third_plane: Any) -> Tensor:
    from geoinv.ops.render_rays.reference import decode_reference
    from geoinv.ops.sample_planes import sample_planes_reference

    sampled = sample_planes_reference(case[0], points, box_side=1.0, third_plane=third_plane)
    return decode_reference(sampled, DecoderWeights(*case[4:]))[0]
