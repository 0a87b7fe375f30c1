"""Film: a scale and shift for each ray of what its colours read; by hand, native against reference, and gradients."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from geoinv.errors import ShapeError
from geoinv.ops.render_rays import (
    SKIP_TOLERANCE,
    DecoderWeights,
    RayOutput,
    RaySampling,
    march,
    march_rays,
    march_rays_reference,
    render_rays,
    render_rays_reference,
    rendering,
)

from .test_render_rays import (
    SAMPLING,
    Case,
    assert_as_good_as_float32,
    hollow_case,
    parts,
    random_case,
    relative,
    with_threads,
)

ODD_SIZES: tuple[dict[str, int], ...] = (
    {},
    {"channels": 5, "hidden": 7, "features": 3, "side": 9, "samples": 7},
    {"channels": 48, "hidden": 33, "features": 17, "samples": 1},
    {"samples": 97, "rays": 3},
    {"batch": 1, "rays": 300},
    {"rays": 0},
)
FILM = 8  # where film comes in a case that has one


def film_case(**sizes: Any) -> Case:
    """A case and a film that changes its colours much."""
    case = random_case(**sizes)
    batch, rays, units = *case[1].shape[:2], case[4].shape[0]
    random = torch.Generator().manual_seed(units + rays)
    return (*case, torch.randn(batch, rays, 2 * units, generator=random) * 0.7)


def marched(function: Any, case: Case, third_plane: str = "zy") -> RayOutput:
    decoder, film = DecoderWeights(*case[4:8]), case[FILM] if len(case) > FILM else None
    return function(*case[:4], decoder, box_side=1.0, third_plane=third_plane, film=film)


def gradients(function: Any, case: Case, wanted: range = range(9), third_plane: str = "zy") -> tuple[Tensor, ...]:
    leaves = tuple(tensor.clone().requires_grad_(i in wanted) for i, tensor in enumerate(case))
    outputs = parts(marched(function, leaves, third_plane))
    random = torch.Generator().manual_seed(5)
    cotangents = [torch.randn(output.shape, generator=random).to(output) for output in outputs]
    given = [(output, v) for output, v in zip(outputs, cotangents, strict=True) if output.requires_grad]
    inputs = [leaves[i] for i in wanted]
    return torch.autograd.grad([output for output, _ in given], inputs, [v for _, v in given])


def rendered(function: Any, case: Case, sampling: RaySampling = SAMPLING, **options: Any) -> tuple[Tensor, ...]:
    film = case[FILM] if len(case) > FILM else None
    output = function(*case[:3], DecoderWeights(*case[4:8]), sampling, film=film, **options)
    return (output.features, output.alpha, output.distance)


class TestMarchRays:
    def test_hand_computed(self) -> None:
        # the case of one hidden unit, log(1 + e) inside of the box, seen by two rays with a film each
        planes, distances = torch.ones(1, 3, 1, 4, 4), torch.tensor([0.9, 1.0, 1.1]).expand(1, 2, 3)
        decoder = DecoderWeights(torch.ones(1, 1), torch.zeros(1), torch.tensor([[2.0], [1.0]]), torch.zeros(2))
        rays = (torch.tensor([0.0, 0.0, 1.0]).expand(1, 2, 3), torch.tensor([0.0, 0.0, -1.0]).expand(1, 2, 3))
        film = torch.tensor([[[0.5, -2.0], [-1.0, 0.25]]])
        output = march_rays(planes, *rays, distances, decoder, box_side=1.0, third_plane="zy", film=film)
        hidden = math.log1p(math.e)
        alpha = 1.0 - math.exp(-math.log1p(math.exp(2.0 * hidden - 1.0)) * 0.2)
        assert output.alpha.flatten().tolist() == pytest.approx([alpha, alpha], rel=1e-5)
        colors = [1.002 / (1.0 + math.exp(-logit)) - 0.001 for logit in (1.5 * hidden - 2.0, 0.25)]
        assert output.features.flatten().tolist() == pytest.approx([alpha * color for color in colors], rel=1e-5)

    @pytest.mark.parametrize("third_plane", ["zx", "zy"])
    @pytest.mark.parametrize("sizes", ODD_SIZES)
    def test_matches_reference(self, third_plane: str, sizes: dict[str, int]) -> None:
        case = film_case(**sizes)
        exact = tuple(tensor.double() for tensor in case)
        ways = ((march_rays, case), (march_rays_reference, case), (march_rays_reference, exact))
        assert_as_good_as_float32(*(parts(marched(*way, third_plane)) for way in ways))
        if sizes.get("rays") == 0:
            assert gradients(march_rays, case, range(8, 9))[0].shape == case[FILM].shape
            return
        for wanted in (range(9), range(8, 9), range(4), range(4, 9), range(1)):
            assert_as_good_as_float32(*(gradients(*way, wanted, third_plane) for way in ways))

    @pytest.mark.parametrize("instructions", [0, 1, 2])
    def test_instruction_sets_agree(self, instructions: int, monkeypatch: pytest.MonkeyPatch) -> None:
        case = film_case()

        def found() -> tuple[Tensor, ...]:
            alone = gradients(march_rays, case, range(8, 9))
            return (*parts(marched(march_rays, case)), *gradients(march_rays, case), *alone)

        best = found()
        if instructions >= torch.ops.geoinv.render_rays_instruction_sets():
            pytest.skip("this processor lacks them")
        monkeypatch.setattr(march, "BEST_INSTRUCTIONS", instructions)
        for ours, theirs in zip(found(), best, strict=True):
            assert relative(ours, theirs) < 2e-4

    @pytest.mark.parametrize("function", [march_rays, march_rays_reference])
    def test_zeros_are_no_film(self, function: Any) -> None:
        *case, film = film_case()
        with_zeros, without = (*case, torch.zeros_like(film)), tuple(case)
        for ours, theirs in zip(parts(marched(function, with_zeros)), parts(marched(function, without)), strict=True):
            assert torch.equal(ours, theirs)
        for ours, theirs in zip(
            gradients(function, with_zeros, range(8)), gradients(function, without, range(8)), strict=True
        ):
            assert relative(ours, theirs) < 1e-6

    @pytest.mark.parametrize("function", [march_rays, march_rays_reference])
    def test_only_colours_depend_on_film(self, function: Any) -> None:
        *case, film = film_case()
        ours, theirs = parts(marched(function, (*case, film))), parts(marched(function, tuple(case)))
        assert (ours[0] - theirs[0]).abs().max() > 0.1
        for value, other in zip(ours[1:], theirs[1:], strict=True):
            assert torch.equal(value, other)

    @pytest.mark.parametrize("function", [march_rays, march_rays_reference])
    def test_where_film_alone_is_trained_nothing_but_colours_has_a_gradient(self, function: Any) -> None:
        *case, film = film_case()
        outputs = parts(marched(function, (*case, film.requires_grad_())))
        assert [output.requires_grad for output in outputs] == [True, False, False, False]

    def test_film_alone_counts_all_that_is_seen_and_nothing_else(self) -> None:
        case = hollow_case()  # of clear, dim and opaque rays
        case = (*case, torch.randn(2, 200, 128, generator=torch.Generator().manual_seed(3)))
        exact = tuple(tensor.double() for tensor in case)
        ways = ((march_rays, case), (march_rays_reference, case), (march_rays_reference, exact))
        assert_as_good_as_float32(*(gradients(*way, range(8, 9)) for way in ways))
        case[7][0] = -200.0  # no density at all
        assert gradients(march_rays, case, range(8, 9))[0].abs().max() == 0.0

    def test_what_is_not_a_number_is_seen_in_the_gradient(self) -> None:
        case = film_case(batch=1, rays=3)
        case[0][:] = math.nan
        assert gradients(march_rays, case, range(8, 9))[0].isnan().any()

    @pytest.mark.parametrize("wanted", [range(8, 9), range(9)])
    def test_non_contiguous_film(self, wanted: range) -> None:
        *case, film = film_case(hidden=64)
        for strided in (film.permute(2, 0, 1).contiguous().permute(1, 2, 0), film[:, :1].expand_as(film)):
            assert not strided.is_contiguous()
            ways = [(*case, strided), (*case, strided.contiguous())]
            for find in (lambda way: parts(marched(march_rays, way)), lambda way: gradients(march_rays, way, wanted)):
                for ours, theirs in zip(*map(find, ways), strict=True):
                    assert torch.equal(ours, theirs)

    def test_one_film_of_all_rays_gathers_their_gradients(self) -> None:
        *case, film = film_case()
        one = film[:, :1].clone().requires_grad_()
        found = [
            torch.autograd.grad(marched(function, (*case, one.expand_as(film))).features.square().sum(), one)[0]
            for function in (march_rays, march_rays_reference)
        ]
        assert relative(*found) < 1e-4

    @pytest.mark.parametrize("wanted", [range(8, 9), range(9)])
    def test_same_with_one_and_two_threads(self, wanted: range) -> None:
        case = film_case(rays=500)
        outputs = with_threads(lambda: parts(marched(march_rays, case)))
        assert all(torch.equal(a, b) for a, b in zip(*outputs, strict=True))
        found = with_threads(lambda: gradients(march_rays, case, wanted))
        assert torch.equal(found[0][-1], found[1][-1])
        assert all(relative(a, b) < 1e-5 for a, b in zip(*found, strict=True))

    def test_gradcheck_of_the_reference(self) -> None:
        case = film_case(batch=1, channels=2, side=3, rays=2, samples=3, hidden=3, features=2)
        leaves = tuple(tensor.double().requires_grad_() for tensor in case)

        def colors(*tensors: Tensor) -> Tensor:
            return marched(march_rays_reference, tensors).features

        assert torch.autograd.gradcheck(colors, leaves)
        assert torch.autograd.gradgradcheck(colors, leaves)

    def test_second_order_is_the_truth(self) -> None:
        case = film_case(rays=5, samples=4, side=4)
        penalties = []
        for function in (march_rays, march_rays_reference):
            planes, film = case[0].clone().requires_grad_(), case[FILM].clone().requires_grad_()
            output = marched(function, (planes, *case[1:FILM], film))
            scalar = output.features.exp().sum() + (film**3).sum()
            (first,) = torch.autograd.grad(scalar, film, create_graph=True)
            penalties.append(torch.autograd.grad(first.square().sum(), (planes, film)))
        for ours, theirs in zip(*penalties, strict=True):
            assert relative(ours, theirs) < 1e-3

    def test_rejects_other_shapes(self) -> None:
        *case, film = film_case()
        for wrong in (film[:1], film[:, 1:], film[..., 1:], film[0], film[..., :64]):
            with pytest.raises(ShapeError, match=r"^film must be \[2, 37, 128\], got \[[\d, ]+\]$"):
                marched(march_rays, (*case, wrong))
            with pytest.raises(ShapeError, match="film must be"):
                rendered(render_rays, (*case, wrong))


class TestRenderRays:
    @pytest.mark.parametrize(
        "sampling",
        [SAMPLING, RaySampling(12, 8, "fixed", 0.9, 2.1, 1.0, "zx"), RaySampling(5, 0, "box", 0.0, 0.0, 1.0, "zy")],
    )
    @pytest.mark.parametrize("sizes", [{"rays": 33}, {"rays": 1, "hidden": 7, "features": 3}, {"rays": 0}])
    def test_exact_matches_reference(self, sampling: RaySampling, sizes: dict[str, int]) -> None:
        case = film_case(density=0.5, **sizes)
        case[1][:, :1] = torch.tensor([0.0, 9.0, 2.0])  # misses the box
        if sizes["rays"] == 0:
            assert rendered(render_rays, case, sampling)[0].shape == (2, 0, 16)
            return
        truth = rendered(render_rays_reference, tuple(tensor.double() for tensor in case), sampling)
        for ours, theirs in zip(rendered(render_rays, case, sampling, exact=True), truth, strict=True):
            assert torch.allclose(ours.double(), theirs, atol=2e-5)

    @pytest.mark.parametrize("function", [render_rays, render_rays_reference])
    def test_zeros_are_no_film_and_only_colours_depend_on_it(self, function: Any) -> None:
        *case, film = film_case(density=0.5)
        without = rendered(function, tuple(case))
        with_zeros, with_film = (rendered(function, (*case, f)) for f in (torch.zeros_like(film), film))
        assert all(torch.equal(a, b) for a, b in zip(with_zeros, without, strict=True))
        assert all(torch.equal(a, b) for a, b in zip(with_film[1:], without[1:], strict=True))
        assert (with_film[0] - without[0]).abs().max() > 0.1

    def test_strong_film_keeps_the_bound_on_what_is_skipped(self) -> None:
        case = hollow_case()
        film = torch.randn(2, 200, 128, generator=torch.Generator().manual_seed(3)) * 100.0
        sampling = RaySampling(40, 0, "box", 0.0, 0.0, 1.0, "zy")
        fast, exact = (rendered(render_rays, (*case, film), sampling, exact=exact) for exact in (False, True))
        assert exact[0].min() < 1e-3 and exact[0].max() > 0.9
        assert not torch.equal(fast[0], exact[0])
        assert (fast[0] - exact[0]).abs().max() <= SKIP_TOLERANCE

    def test_same_with_one_and_two_threads(self) -> None:
        case = (*hollow_case(), film_case(rays=200)[FILM])
        outputs = with_threads(lambda: rendered(render_rays, case))
        assert all(torch.equal(a, b) for a, b in zip(*outputs, strict=True))

    @pytest.mark.parametrize("instructions", [0, 1, 2])
    def test_instruction_sets_agree(self, instructions: int, monkeypatch: pytest.MonkeyPatch) -> None:
        case = film_case(density=0.5)
        best = rendered(render_rays, case)
        if instructions >= torch.ops.geoinv.render_rays_instruction_sets():
            pytest.skip("this processor lacks them")
        monkeypatch.setattr(rendering, "BEST_INSTRUCTIONS", instructions)
        for ours, theirs in zip(rendered(render_rays, case), best, strict=True):
            assert torch.allclose(ours, theirs, atol=2e-5)

    def test_gradient_matches_reference(self) -> None:
        case = film_case(density=0.5)
        found = []
        for function in (render_rays, render_rays_reference):
            film = case[FILM].clone().requires_grad_()
            features, alpha, _ = rendered(function, (*case[:FILM], film))
            assert not alpha.requires_grad
            found.extend(torch.autograd.grad(features.square().sum(), film))
        assert relative(*found) < 1e-3

    def test_reference_in_pieces(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rendering, "_RAYS_AT_ONCE", 20)
        monkeypatch.setattr(rendering, "is_native", lambda *_: False)
        case = film_case(density=0.5)
        for pieces, whole in zip(rendered(render_rays, case), rendered(render_rays_reference, case), strict=True):
            assert torch.allclose(pieces, whole, atol=1e-6)
