"""Modulated convolution: by hand, against its definition, native against reference at any size, gradients."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from geoinv.errors import ShapeError
from geoinv.ops import modulated_conv2d as op
from geoinv.ops._build import use_backend
from geoinv.ops.modulated_conv2d import modulated_conv2d, modulated_conv2d_reference


def by_definition(features: Tensor, weight: Tensor, styles: Tensor, *, demodulate: bool, up: bool) -> Tensor:
    outputs = []
    for sample, style in zip(features, styles, strict=True):
        kernel = weight * style[None, :, None, None]
        if demodulate:
            kernel = kernel * torch.rsqrt(kernel.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8)
        if not up:
            outputs.append(F.conv2d(sample[None], kernel, padding=weight.shape[-1] // 2))
            continue
        side = sample.shape[-1]
        spread = sample.new_zeros(1, sample.shape[0], 2 * side + 2, 2 * side + 2)
        spread[:, :, : 2 * side : 2, : 2 * side : 2] = sample
        # a true convolution (kernel flipped) of the zero-inserted maps, then the [1, 3, 3, 1] filter at gain 4
        full = F.conv2d(F.pad(spread, (2, 0, 2, 0)), kernel.flip(2, 3))[..., : 2 * side + 1, : 2 * side + 1]
        tap = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=sample.dtype) / 8.0
        blur = (4.0 * tap[:, None] * tap[None]).expand(full.shape[1], 1, 4, 4)
        outputs.append(F.conv2d(F.pad(full, (1, 1, 1, 1)), blur, groups=full.shape[1]))
    return torch.cat(outputs)


def random_case(
    batch: int = 2, in_channels: int = 32, out_channels: int = 64, height: int = 9, width: int = 6, up: bool = False
) -> dict[str, Any]:
    random = torch.Generator().manual_seed(batch + 10 * height + 100 * width)
    factor = 2 if up else 1
    return {
        "features": torch.randn(batch, in_channels, height, width, generator=random),
        "weight": torch.randn(out_channels, in_channels, 3, 3, generator=random),
        "styles": torch.randn(batch, in_channels, generator=random),
        "noise": torch.randn(factor * height, factor * width, generator=random),
        "bias": torch.randn(out_channels, generator=random),
        "slope": 0.2,
        "gain": 1.4,
        "up": up,
    }


# Two results of 8.9 MB while a part of the first is alive, then a third when the second is gone.
_MEMORY_OF_LARGE_MAPS = """
import mmap

import torch

from geoinv.ops import modulated_conv2d as op

op._MIN_TILES = 0  # the kernel, also where torch's convolution would be the faster one
features, weight, styles = torch.randn(1, 32, 97, 90), torch.randn(64, 32, 3, 3), torch.randn(1, 32)
first = op.modulated_conv2d(features, weight, styles, up=True)
part, before, first_address = first[:, :1], first[:, :1].clone(), first.data_ptr()
del first
second = op.modulated_conv2d(-features, weight, styles, up=True)
kept, second_address = torch.equal(part, before), second.data_ptr()
del second
others = [mmap.mmap(-1, 1 << 20) for _ in range(64)]  # would lie there if the memory had gone back to the system
third = op.modulated_conv2d(features, weight, styles, up=True)
print(f"part kept: {kept}, same memory: {second_address == first_address} {third.data_ptr() == second_address}")
"""


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    return ((ours - theirs).norm() / theirs.norm()).item()


@pytest.fixture
def always_winograd(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel also where torch's convolution would be the faster one."""
    if not op.load_native(op.OPERATION):
        pytest.skip("no native operations on this machine")
    monkeypatch.setattr(op, "_MIN_TILES", 0)


class TestModulatedConv2d:
    def test_hand_computed(self) -> None:
        features = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])  # 2 channels, 1 x 2
        weight = torch.tensor([[[[1.0]], [[-2.0]]]])
        styles = torch.tensor([[2.0, 0.5]])
        # modulated kernel (2, -1), of length sqrt 5
        raw = modulated_conv2d(features, weight, styles, demodulate=False)
        assert torch.allclose(raw.flatten(), torch.tensor([-1.0, 0.0]), atol=1e-6)
        unit = modulated_conv2d(features, weight, styles, bias=torch.tensor([1.0]))
        assert torch.allclose(unit.flatten(), torch.tensor([1.0 - 5.0**-0.5, 1.0]), atol=1e-6)

    @pytest.mark.parametrize("backend", ["reference", "native"])
    @pytest.mark.parametrize("up", [False, True])
    @pytest.mark.parametrize("demodulate", [False, True])
    @pytest.mark.parametrize("side", [1, 4, 9])
    def test_matches_definition(self, backend: Any, up: bool, demodulate: bool, side: int) -> None:
        random = torch.Generator().manual_seed(side)
        features = torch.randn(3, 4, side, side, generator=random, dtype=torch.float64)
        weight = torch.randn(5, 4, 3, 3, generator=random, dtype=torch.float64)
        styles = torch.randn(3, 4, generator=random, dtype=torch.float64)
        with use_backend(backend):
            ours = modulated_conv2d(features, weight, styles, demodulate=demodulate, up=up)
        truth = by_definition(features, weight, styles, demodulate=demodulate, up=up)
        assert ours.shape == truth.shape
        assert torch.allclose(ours, truth, atol=1e-5)

    @pytest.mark.parametrize("up", [False, True])
    @pytest.mark.parametrize("size", [(1, 1), (2, 3), (4, 4), (5, 31), (32, 33)])
    @pytest.mark.parametrize("batch", [1, 3])
    def test_matches_reference(self, always_winograd: None, up: bool, size: tuple[int, int], batch: int) -> None:
        case = random_case(batch=batch, height=size[0], width=size[1], up=up)
        assert relative_error(modulated_conv2d(**case), modulated_conv2d_reference(**case)) < 3e-6

    @pytest.mark.parametrize("winograd", [False, True])
    @pytest.mark.parametrize("up", [False, True])
    def test_limit_matches_reference(self, request: pytest.FixtureRequest, winograd: bool, up: bool) -> None:
        if winograd:
            request.getfixturevalue("always_winograd")
        case = random_case(up=up) | {"limit": 5.0}
        output = modulated_conv2d(**case)
        assert output.abs().max() == 5.0
        assert relative_error(output, modulated_conv2d_reference(**case)) < 3e-6
        case["features"][0, 0, 0, 0] = float("nan")
        assert modulated_conv2d(**case).isnan().equal(modulated_conv2d_reference(**case).isnan()) or winograd

    def test_large_maps_match_reference(self, always_winograd: None) -> None:
        case = random_case(batch=1, height=97, width=90, up=True)  # 8.9 MB of outputs lie on large pages
        output = modulated_conv2d(**case)
        assert output.numel() * 4 > 8 << 20
        assert relative_error(output, modulated_conv2d_reference(**case)) < 3e-6

    def test_memory_of_large_maps_is_used_again(self, always_winograd: None) -> None:
        # a process of its own: which blocks are kept here depends on the tests before
        done = subprocess.run([sys.executable, "-c", _MEMORY_OF_LARGE_MAPS], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, "part kept: True, same memory: False True\n"), done.stderr

    @pytest.mark.parametrize("without", ["noise", "bias"])
    def test_matches_reference_without(self, always_winograd: None, without: str) -> None:
        case = random_case() | {without: None, "demodulate": without == "bias", "slope": 1.0}
        assert relative_error(modulated_conv2d(**case), modulated_conv2d_reference(**case)) < 3e-6

    def test_wide_sums_keep_their_precision(self, always_winograd: None) -> None:
        case = random_case(batch=1, in_channels=512, height=16, width=16)
        exact = {name: value.double() if isinstance(value, Tensor) else value for name, value in case.items()}
        truth = modulated_conv2d_reference(**exact).float()
        assert relative_error(modulated_conv2d(**case), truth) < 5e-6

    def test_non_contiguous_inputs(self, always_winograd: None) -> None:
        case = random_case(height=8, width=8)
        expected = modulated_conv2d_reference(**case)
        for name in ("features", "weight"):
            case[name] = case[name].transpose(2, 3).contiguous().transpose(2, 3)
        assert relative_error(modulated_conv2d(**case), expected) < 3e-6

    @pytest.mark.parametrize("up", [False, True])
    @pytest.mark.parametrize("batch", [1, 3])
    def test_gradient_matches_reference(self, up: bool, batch: int) -> None:
        names = ("features", "weight", "styles", "noise", "bias")
        gradients = []
        for function in (modulated_conv2d, modulated_conv2d_reference):
            case = random_case(batch=batch, height=6, up=up)
            leaves = [case[name].requires_grad_() for name in names]
            output = function(**case)
            cotangent = torch.randn(output.shape, generator=torch.Generator().manual_seed(5))
            gradients.append(torch.autograd.grad(output, leaves, cotangent))
        for native, reference in zip(*gradients, strict=True):
            assert F.cosine_similarity(native.flatten(), reference.flatten(), dim=0) > 1 - 1e-6
            assert relative_error(native, reference) < 1e-5

    def test_gradcheck_and_gradgradcheck(self) -> None:
        random = torch.Generator().manual_seed(0)
        shapes = ((1, 2, 3, 3), (2, 2, 3, 3), (1, 2))
        leaves = tuple(torch.randn(s, generator=random, dtype=torch.float64, requires_grad=True) for s in shapes)
        assert torch.autograd.gradcheck(lambda *tensors: modulated_conv2d(*tensors, slope=0.2), leaves)
        assert torch.autograd.gradgradcheck(lambda *tensors: modulated_conv2d(*tensors, slope=0.2), leaves)

    def test_second_order_is_the_truth(self) -> None:
        penalties = []
        for function in (modulated_conv2d, modulated_conv2d_reference):
            case = random_case(batch=1, in_channels=4, out_channels=4, height=5, width=5, up=True)
            leaf = case["features"].requires_grad_()
            output = (0.1 * function(**case)).exp().sum() + (leaf**3).sum()
            (first,) = torch.autograd.grad(output, leaf, create_graph=True)
            penalties.append(torch.autograd.grad(first.square().sum(), leaf)[0])
        assert relative_error(*penalties) < 1e-4

    def test_same_with_one_and_two_threads(self, always_winograd: None) -> None:
        case, threads, outputs = random_case(height=97, width=40), torch.get_num_threads(), []
        try:
            for count in (1, 2):
                torch.set_num_threads(count)
                outputs.append(modulated_conv2d(**case))
        finally:
            torch.set_num_threads(threads)
        assert torch.equal(*outputs)

    def test_memory_does_not_grow(self, always_winograd: None) -> None:
        case = random_case(batch=1, height=64, width=64)
        modulated_conv2d(**case)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(200):
            modulated_conv2d(**case)
        # KiB; the outputs are 1 MiB each
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024

    def test_empty_batch(self) -> None:
        case = random_case(batch=1)
        empty = case | {"features": case["features"][:0], "styles": case["styles"][:0]}
        assert modulated_conv2d(**empty).shape == (0, 64, 9, 6)

    def test_demodulated_output_has_unit_variance(self) -> None:
        features = torch.randn(2, 64, 16, 16)
        output = modulated_conv2d(features, torch.randn(32, 64, 3, 3) * 7.0, torch.rand(2, 64) + 0.5)
        assert 0.6 < output[..., 1:-1, 1:-1].std().item() < 1.5

    def test_rejects_other_shapes(self) -> None:
        case = random_case()
        with pytest.raises(ShapeError, match="weight must be"):
            modulated_conv2d(case["features"], case["weight"][:, :3], case["styles"])
        with pytest.raises(ShapeError, match="styles must be"):
            modulated_conv2d(case["features"], case["weight"], case["styles"][:1])


def test_training_in_bfloat16_stays_there() -> None:
    case = random_case(batch=1, height=32, width=32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = modulated_conv2d(**case)
    assert output.dtype == torch.bfloat16
    assert relative_error(output.float(), modulated_conv2d_reference(**case)) < 2e-2
