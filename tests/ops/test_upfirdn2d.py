"""Up, filter, down: by hand, against zero insertion and convolution, gradients, and the CUDA arithmetic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from geoinv.errors import ShapeError
from geoinv.ops import upfirdn2d as op
from geoinv.ops._build import use_backend
from geoinv.ops.upfirdn2d import blur_after_transpose, upfirdn2d, upfirdn2d_reference, upsample2

from .fake_grid import load_on_cpu

TAPS = torch.tensor([0.5, -1.0, 2.0, 0.25])  # not symmetric: a filter turned round would show
CASES: tuple[dict[str, Any], ...] = (
    {},
    {"padding": (1, 2)},
    {"up": 2, "padding": (2, 1)},
    {"down": 2, "padding": (1, 1)},
    {"up": 2, "down": 3, "padding": (4, 0)},
    {"up": 3, "padding": (0, 5)},
)


class TestUpFirDn2d:
    def test_hand_computed(self) -> None:
        row = torch.tensor([1.0, 2.0]).reshape(1, 1, 1, 2)
        # along the row 0 [1 0 2 0] 0 with taps 1, 10; the column meets its zeros: 0 [r 0] 0 -> 10 r, r, 0
        output = upfirdn2d(row, torch.tensor([1.0, 10.0]), up=2, padding=(1, 1))
        along = torch.tensor([10.0, 1.0, 20.0, 2.0, 0.0])
        assert torch.allclose(output[0, 0], torch.stack([10.0 * along, along, 0.0 * along]))

    @pytest.mark.parametrize("case", CASES)
    @pytest.mark.parametrize("shape", [(2, 3, 5, 8), (1, 32, 4, 4), (1, 1, 33, 31)])
    def test_matches_reference(self, case: dict[str, Any], shape: tuple[int, ...]) -> None:
        features = torch.randn(shape)
        output, expected = upfirdn2d(features, TAPS, **case), upfirdn2d_reference(features, TAPS, **case)
        assert output.shape == expected.shape
        assert torch.allclose(output, expected, atol=1e-5)

    @pytest.mark.parametrize("case", CASES)
    def test_gradient_matches_reference(self, case: dict[str, Any]) -> None:
        features = torch.randn(2, 5, 6, 7, requires_grad=True)
        outputs = [function(features, TAPS, **case) for function in (upfirdn2d, upfirdn2d_reference)]
        cotangent = torch.randn_like(outputs[0])
        native, reference = (torch.autograd.grad(output, features, cotangent)[0] for output in outputs)
        assert torch.allclose(native, reference, atol=1e-4)

    def test_second_order_is_the_truth(self) -> None:
        penalties = []
        for function in (upfirdn2d, upfirdn2d_reference):
            leaf = torch.linspace(-1.0, 1.0, 16).reshape(1, 1, 4, 4).requires_grad_()
            output = function(leaf, TAPS, padding=(1, 1)).exp().sum() + (leaf**3).sum()
            (first,) = torch.autograd.grad(output, leaf, create_graph=True)
            penalties.append(torch.autograd.grad(first.square().sum(), leaf)[0])
        assert torch.allclose(*penalties, rtol=1e-4)

    def test_gradcheck_and_gradgradcheck(self) -> None:
        features = torch.randn(1, 2, 4, 3, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda x: upfirdn2d(x, TAPS.double(), up=2, padding=(2, 1)), (features,))
        assert torch.autograd.gradgradcheck(lambda x: upfirdn2d(x, TAPS.double(), up=2, padding=(2, 1)), (features,))

    def test_non_contiguous_and_empty_inputs(self) -> None:
        features = torch.randn(2, 3, 6, 5)
        strided = features.transpose(2, 3).contiguous().transpose(2, 3)
        assert torch.allclose(upfirdn2d(strided, TAPS), upfirdn2d_reference(features, TAPS), atol=1e-5)
        assert upfirdn2d(features[:0], TAPS).shape == (0, 3, 3, 2)

    def test_bfloat16_sums_in_float32(self) -> None:
        features = torch.randn(1, 8, 9, 9).bfloat16()
        output = upfirdn2d(features, TAPS)
        exact = upfirdn2d_reference(features.float(), TAPS)
        assert output.dtype == torch.bfloat16
        assert torch.allclose(output.float(), exact, rtol=2**-8, atol=1e-6)

    def test_same_with_one_and_two_threads(self) -> None:
        features, threads, outputs = torch.randn(1, 16, 40, 40), torch.get_num_threads(), []
        try:
            for count in (1, 2):
                torch.set_num_threads(count)
                outputs.append(upfirdn2d(features, TAPS, up=2))
        finally:
            torch.set_num_threads(threads)
        assert torch.equal(*outputs)

    def test_rejects_other_shapes(self) -> None:
        with pytest.raises(ShapeError, match="features must be"):
            upfirdn2d(torch.zeros(3, 4, 4), TAPS)
        with pytest.raises(ShapeError, match="longer than"):
            upfirdn2d(torch.zeros(1, 1, 2, 9), TAPS)

    def test_reference_backend_is_the_reference(self) -> None:
        features = torch.randn(1, 2, 5, 5)
        with use_backend("reference"):
            assert torch.equal(upfirdn2d(features, TAPS), upfirdn2d_reference(features, TAPS))


@pytest.mark.parametrize("side", [1, 2, 5])
def test_upsample2_is_zero_insertion_and_filter(side: int) -> None:
    image = torch.randn(2, 3, side, side, dtype=torch.float64)
    spread = image.new_zeros(2, 3, 2 * side, 2 * side)
    spread[..., ::2, ::2] = image
    tap = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64) / 8.0
    kernel = (4.0 * tap[:, None] * tap[None]).expand(3, 1, 4, 4)
    truth = F.conv2d(F.pad(spread, (2, 1, 2, 1)), kernel, groups=3)
    assert torch.allclose(upsample2(image), truth, atol=1e-12)
    assert torch.allclose(upsample2(image.float()), truth.float(), atol=1e-6)


def test_blur_keeps_a_constant_away_from_the_border() -> None:
    blurred = blur_after_transpose(torch.ones(1, 2, 9, 9))
    assert blurred.shape == (1, 2, 8, 8)
    assert torch.allclose(blurred[..., 1:-1, 1:-1], torch.full((1, 2, 6, 6), 4.0))


@pytest.mark.parametrize("case", CASES)
def test_cuda_on_a_fake_grid(case: dict[str, Any], tmp_path: Path) -> None:
    library = load_on_cpu(Path(op.__file__).with_name("upfirdn2d.cu"), tmp_path)
    features = torch.randn(2, 3, 5, 8)
    expected = upfirdn2d_reference(features, TAPS, **case)
    by_pixel = features.permute(0, 2, 3, 1).contiguous()
    settings = (case.get("up", 1), case.get("down", 1), case.get("padding", (0, 0))[0], *expected.shape[2:])
    output = op._cuda_forward(library, by_pixel, TAPS, settings).permute(0, 3, 1, 2)
    assert torch.allclose(output, expected, atol=1e-5)
