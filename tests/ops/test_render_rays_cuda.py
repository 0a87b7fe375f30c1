"""Rays on a GPU: the CUDA source over a fake grid on CPU tensors, through the same calls, and when it is chosen."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import geoinv.ops.render_rays as operation
from geoinv.ops import _cuda
from geoinv.ops.render_rays import (
    DecoderWeights,
    RaySampling,
    cuda,
    march_rays,
    march_rays_reference,
    render_rays,
    render_rays_reference,
)
from geoinv.ops.sample_planes import ThirdPlane

from . import test_render_rays_film as with_film
from .fake_grid import go_the_way_of_a_gpu, load_on_cpu
from .test_render_rays import (
    SAMPLING,
    Case,
    assert_as_good_as_float32,
    gradients,
    marched,
    parts,
    random_case,
    relative,
    rendered,
)

SIZES: tuple[dict[str, int], ...] = (
    {"side": 5, "rays": 3, "samples": 4},
    {"channels": 5, "hidden": 7, "features": 3, "side": 9, "samples": 7, "rays": 65},
    {"samples": 1, "rays": 2},
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return load_on_cpu(Path(operation.__file__).with_name("render_rays.cu"), tmp_path_factory.mktemp("cuda"))


@pytest.fixture
def launched(library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Has CPU tensors go the way of a GPU's; the launchers that were called."""
    return go_the_way_of_a_gpu(cuda, lambda *_, samples: library, monkeypatch)


class TestOverAFakeGrid:
    @pytest.mark.parametrize("third_plane", ["zx", "zy"])
    @pytest.mark.parametrize("sizes", SIZES)
    def test_march_matches_reference(self, launched: list[str], third_plane: ThirdPlane, sizes: dict[str, int]) -> None:
        case = random_case(**sizes)  # type: ignore[arg-type]
        exact = tuple(tensor.double() for tensor in case)
        for function in (marched, gradients):
            ours, plain, truth = (
                function(*way, third_plane)
                for way in ((march_rays, case), (march_rays_reference, case), (march_rays_reference, exact))
            )
            if function is marched:
                ours, plain, truth = parts(ours), parts(plain), parts(truth)
            assert_as_good_as_float32(ours, plain, truth)
        assert launched == ["march_rays_forward", "march_rays_forward", "march_rays_backward"]

    def test_only_wanted_gradients(self, launched: list[str]) -> None:
        case = random_case(rays=5, samples=6)
        found = []
        for function in (march_rays, march_rays_reference):
            planes = case[0].clone().requires_grad_()
            marched(function, (planes, *case[1:])).alpha.sum().backward()
            assert planes.grad is not None
            found.append(planes.grad)
        assert relative(*found) < 1e-4
        assert "march_rays_backward" in launched

    def test_non_contiguous_and_empty_inputs(self, launched: list[str]) -> None:
        case = random_case(rays=5, samples=6)
        strided = tuple(tensor.movedim(0, -1).contiguous().movedim(-1, 0) for tensor in case)
        for ours, theirs in zip(gradients(march_rays, strided), gradients(march_rays, case), strict=True):
            assert torch.equal(ours, theirs)
        none = (case[0], *(tensor[:, :0] for tensor in case[1:4]), *case[4:])
        assert marched(march_rays, none).features.shape == (2, 0, 16)
        assert gradients(march_rays, none)[0].abs().sum() == 0.0
        assert len(launched) == 7

    def test_second_order_is_the_truth(self, launched: list[str]) -> None:
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
        assert launched == ["march_rays_forward", "march_rays_backward"]  # the latter for the last grad alone

    @pytest.mark.parametrize(
        "sampling",
        [SAMPLING, RaySampling(9, 0, "fixed", 0.9, 2.1, 1.0, "zx"), RaySampling(8, 4, "fixed", 1, 2, 0.8, "zy")],
    )
    def test_render_matches_reference(self, launched: list[str], sampling: RaySampling) -> None:
        case = random_case(density=0.5, rays=70)
        truth = rendered(render_rays_reference, tuple(tensor.double() for tensor in case), sampling)
        for ours, theirs in zip(rendered(render_rays, case, sampling), truth, strict=True):
            assert torch.allclose(ours.double(), theirs, atol=2e-5)
        assert launched == ["render_rays_forward"]

    def test_render_with_gradient_marches(self, launched: list[str]) -> None:
        case = random_case(density=0.5, rays=9)
        found = []
        for function in (render_rays, render_rays_reference):
            planes = case[0].clone().requires_grad_()
            features, alpha, _ = rendered(function, (planes, *case[1:]))
            found.extend(torch.autograd.grad(features.square().sum() + alpha.sum(), planes))
        assert relative(*found) < 1e-3
        assert launched == ["march_rays_forward", "march_rays_forward", "march_rays_backward"]

    def test_too_few_samples_for_a_second_pass(self, launched: list[str]) -> None:
        with pytest.raises(RuntimeError, match="render_rays_forward"):
            rendered(render_rays, random_case(rays=2), RaySampling(3, 4, "box", 0.0, 0.0, 1.0, "zy"))


class TestFilmOverAFakeGrid:
    @pytest.mark.parametrize("sizes", SIZES)
    def test_march_matches_reference(self, launched: list[str], sizes: dict[str, int]) -> None:
        case = with_film.film_case(**sizes)
        exact = tuple(tensor.double() for tensor in case)
        ways = ((march_rays, case), (march_rays_reference, case), (march_rays_reference, exact))
        assert_as_good_as_float32(*(parts(with_film.marched(*way)) for way in ways))
        for wanted in (range(9), range(8, 9), range(4), range(4, 9), range(1)):
            assert_as_good_as_float32(*(with_film.gradients(*way, wanted) for way in ways))
        assert launched.count("march_rays_backward") == 5

    def test_zeros_are_no_film(self, launched: list[str]) -> None:
        *case, film = with_film.film_case(rays=9, samples=6)
        for find in (
            lambda way: parts(with_film.marched(march_rays, way)),
            lambda way: with_film.gradients(march_rays, way, range(8)),
            lambda way: with_film.rendered(render_rays, way),
        ):
            for ours, theirs in zip(find((*case, torch.zeros_like(film))), find(tuple(case)), strict=True):
                assert torch.equal(ours, theirs)
        assert set(launched) == {"march_rays_forward", "march_rays_backward", "render_rays_forward"}

    def test_non_contiguous_and_empty_film(self, launched: list[str]) -> None:
        *case, film = with_film.film_case(rays=5, samples=6)
        strided = film.permute(2, 0, 1).contiguous().permute(1, 2, 0)
        for wanted in (range(9), range(8, 9)):
            ways = (with_film.gradients(march_rays, (*case, f), wanted) for f in (strided, film))
            assert all(torch.equal(a, b) for a, b in zip(*ways, strict=True))
        none = (case[0], *(tensor[:, :0] for tensor in case[1:4]), *case[4:], film[:, :0])
        assert with_film.gradients(march_rays, none, range(8, 9))[0].shape == (2, 0, 128)
        assert len(launched) == 10

    def test_render_matches_reference(self, launched: list[str]) -> None:
        case = with_film.film_case(density=0.5, rays=70)
        truth = with_film.rendered(render_rays_reference, tuple(tensor.double() for tensor in case))
        for ours, theirs in zip(with_film.rendered(render_rays, case), truth, strict=True):
            assert torch.allclose(ours.double(), theirs, atol=2e-5)
        assert launched == ["render_rays_forward"]


class TestChoice:
    """Tensors that say they are on a GPU, without one."""

    @pytest.fixture(autouse=True)
    def _loaded(self, library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_cuda, "load_cuda", lambda source, device: library)

    def chosen(self, dtype: torch.dtype = torch.float32, *, samples: int = 20, **sizes: int) -> ctypes.CDLL | None:
        case = random_case(rays=1, side=4, **sizes)  # type: ignore[arg-type]
        with FakeTensorMode():
            return cuda.cuda_kernels(
                *(torch.empty(t.shape, dtype=dtype, device="cuda:0") for t in case), samples=samples
            )

    def test_float32_on_a_gpu_takes_the_kernels(self, library: ctypes.CDLL) -> None:
        assert self.chosen() is library
        assert self.chosen(torch.float64) is None
        assert cuda.cuda_kernels(*random_case(), samples=20) is None

    def test_sizes_of_the_largest_arrays(self, library: ctypes.CDLL, capsys: pytest.CaptureFixture[str]) -> None:
        most = {"channels": 64, "hidden": 128, "features": 64, "samples": 192}
        assert self.chosen(**most) is library
        assert capsys.readouterr().err == ""
        for name, size in most.items():
            for _ in range(2):
                assert self.chosen(**{**most, name: size + 1}) is None
            assert capsys.readouterr().err.count("plain torch on this GPU (same results): its kernel is too small") == 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
class TestOnAGpu:
    @pytest.mark.parametrize("third_plane", ["zx", "zy"])
    @pytest.mark.parametrize("sizes", [*SIZES, {"rays": 300, "samples": 96}])
    def test_march_matches_reference(self, third_plane: ThirdPlane, sizes: dict[str, int]) -> None:
        case: Case = tuple(tensor.cuda() for tensor in random_case(**sizes))  # type: ignore[arg-type]
        exact = tuple(tensor.double() for tensor in case)
        assert cuda.cuda_kernels(*case, samples=case[3].shape[2]) is not None
        assert_as_good_as_float32(
            (*parts(marched(march_rays, case, third_plane)), *gradients(march_rays, case, third_plane)),
            (
                *parts(marched(march_rays_reference, case, third_plane)),
                *gradients(march_rays_reference, case, third_plane),
            ),
            (
                *parts(marched(march_rays_reference, exact, third_plane)),
                *gradients(march_rays_reference, exact, third_plane),
            ),
        )

    @pytest.mark.parametrize("sizes", [*SIZES, {"rays": 300, "samples": 56}])
    def test_film_matches_reference(self, sizes: dict[str, int]) -> None:
        case = tuple(tensor.cuda() for tensor in with_film.film_case(**sizes))
        exact = tuple(tensor.double() for tensor in case)
        ways = ((march_rays, case), (march_rays_reference, case), (march_rays_reference, exact))
        assert_as_good_as_float32(*(parts(with_film.marched(*way)) for way in ways))
        for wanted in (range(9), range(8, 9)):
            assert_as_good_as_float32(*(with_film.gradients(*way, wanted) for way in ways))

    def test_render_matches_reference(self) -> None:
        case = tuple(tensor.cuda() for tensor in random_case(density=0.5, rays=300))
        truth = render_rays_reference(
            *(t.double() for t in case[:3]), DecoderWeights(*(t.double() for t in case[4:])), SAMPLING
        )
        found = rendered(render_rays, case)
        for ours, theirs in zip(found, (truth.features, truth.alpha, truth.distance), strict=True):
            assert torch.allclose(ours.double(), theirs, atol=2e-5)
