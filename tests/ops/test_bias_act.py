"""Scale, noise, bias and activation in one pass: by hand, against the reference, gradients, and the CUDA arithmetic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from geoinv.errors import ShapeError
from geoinv.ops import bias_act as op
from geoinv.ops._build import use_backend
from geoinv.ops.bias_act import bias_act, bias_act_reference

from .fake_grid import load_on_cpu


def random_case(batch: int = 2, channels: int = 5, height: int = 7, width: int = 9) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(batch + 10 * channels + 100 * height)
    return {
        "features": torch.randn(batch, channels, height, width, generator=random),
        "bias": torch.randn(channels, generator=random),
        "scale": torch.rand(batch, channels, generator=random) + 0.5,
        "noise": torch.randn(height, width, generator=random),
    }


SETTINGS: tuple[dict[str, Any], ...] = ({}, {"slope": 0.2, "gain": 1.5}, {"slope": 0.2, "gain": 1.5, "limit": 1.0})


class TestBiasAct:
    def test_hand_computed(self) -> None:
        features = torch.tensor([1.0, -1.0, 3.0]).reshape(1, 1, 1, 3)
        noise = torch.tensor([[0.0, 0.0, 10.0]])
        output = bias_act(
            features, torch.tensor([0.5]), scale=torch.tensor([[2.0]]), noise=noise, slope=0.1, gain=2.0, limit=6.0
        )
        # 2 * 1 + 0.5 = 2.5 -> 5;  2 * -1 + 0.5 = -1.5 -> -0.15 -> -0.3;  2 * 3 + 10 + 0.5 -> 33, held at 6
        assert torch.allclose(output.flatten(), torch.tensor([5.0, -0.3, 6.0]))

    @pytest.mark.parametrize("settings", SETTINGS)
    @pytest.mark.parametrize("names", [(), ("bias",), ("scale",), ("noise",), ("bias", "scale", "noise")])
    def test_matches_reference(self, settings: dict[str, Any], names: tuple[str, ...]) -> None:
        case = random_case()
        given = {name: case[name] for name in names}
        output = bias_act(case["features"], **given, **settings)
        assert torch.allclose(output, bias_act_reference(case["features"], **given, **settings), atol=1e-6)

    @pytest.mark.parametrize("settings", SETTINGS)
    @pytest.mark.parametrize("names", [("features", "bias"), ("features", "bias", "scale", "noise"), ("scale",)])
    def test_gradient_matches_reference(self, settings: dict[str, Any], names: tuple[str, ...]) -> None:
        case = random_case(channels=37, height=11)
        cotangent = torch.randn_like(case["features"])
        gradients = []
        for function in (bias_act, bias_act_reference):
            leaves = {name: tensor.clone().requires_grad_(name in names) for name, tensor in case.items()}
            output = function(**leaves, **settings)
            gradients.append(torch.autograd.grad(output, [leaves[name] for name in names], cotangent))
        for native, reference in zip(*gradients, strict=True):
            assert torch.allclose(native, reference, rtol=1e-5, atol=1e-4)

    def test_second_order_is_the_truth(self) -> None:
        case = random_case()
        penalties = []
        for function in (bias_act, bias_act_reference):
            leaves = {name: tensor.clone().requires_grad_() for name, tensor in case.items()}
            output = function(**leaves, slope=0.2, gain=1.5).exp().sum() + (leaves["scale"] ** 3).sum()
            first = torch.autograd.grad(output, list(leaves.values()), create_graph=True)
            penalty = sum((gradient.square().sum() for gradient in first), torch.zeros(()))
            penalties.append(torch.autograd.grad(penalty, list(leaves.values())))
        for native, reference in zip(*penalties, strict=True):
            assert torch.allclose(native, reference, rtol=1e-3, atol=1e-3)

    def test_gradcheck_and_gradgradcheck(self) -> None:
        case = {name: tensor.double().requires_grad_() for name, tensor in random_case(1, 2, 3, 2).items()}

        def function(*tensors: Tensor) -> Tensor:
            return bias_act(**dict(zip(case, tensors, strict=True)), slope=0.2, gain=1.5)

        assert torch.autograd.gradcheck(function, tuple(case.values()))
        assert torch.autograd.gradgradcheck(function, tuple(case.values()))

    @pytest.mark.parametrize("side", [0, 1, 31, 32, 33])
    @pytest.mark.parametrize("channels", [1, 33])
    def test_odd_sizes(self, side: int, channels: int) -> None:
        case = random_case(channels=channels, height=side, width=side)
        assert torch.allclose(bias_act(**case, slope=0.2), bias_act_reference(**case, slope=0.2), atol=1e-6)

    def test_non_contiguous_inputs(self) -> None:
        case = random_case()
        strided = case["features"].transpose(2, 3).contiguous().transpose(2, 3)
        noise = case["noise"].T.contiguous().T
        expected = bias_act_reference(case["features"], noise=case["noise"])
        assert torch.allclose(bias_act(strided, noise=noise), expected)

    def test_bfloat16_keeps_its_dtype(self) -> None:
        case = random_case()
        output = bias_act(case["features"].bfloat16(), case["bias"], slope=0.2)
        assert output.dtype == torch.bfloat16

    def test_same_with_one_and_two_threads(self) -> None:
        case = random_case(channels=32, height=64, width=64)
        threads, results = torch.get_num_threads(), []
        try:
            for count in (1, 2):
                torch.set_num_threads(count)
                leaves = {name: tensor.clone().requires_grad_() for name, tensor in case.items()}
                output = bias_act(**leaves, slope=0.2)
                results.append((output, *torch.autograd.grad(output.sum(), list(leaves.values()))))
        finally:
            torch.set_num_threads(threads)
        assert all(torch.equal(one, two) for one, two in zip(*results, strict=True))

    def test_rejects_other_shapes(self) -> None:
        case = random_case()
        with pytest.raises(ShapeError, match=r"bias must be \[5\]"):
            bias_act(case["features"], torch.zeros(4))
        with pytest.raises(ShapeError, match="noise"):
            bias_act(case["features"], noise=torch.zeros(9, 7))
        with pytest.raises(ShapeError, match="features"):
            bias_act(case["bias"])
        with pytest.raises(ValueError, match="slope"):
            bias_act(case["features"], slope=-0.1)

    def test_reference_backend_is_the_reference(self) -> None:
        case = random_case()
        with use_backend("reference"):
            assert torch.equal(bias_act(**case, slope=0.2), bias_act_reference(**case, slope=0.2))


class TestCudaOnAFakeGrid:
    @pytest.fixture(scope="class")
    def library(self, tmp_path_factory: pytest.TempPathFactory) -> Any:
        return load_on_cpu(Path(op.__file__).with_name("bias_act.cu"), tmp_path_factory.mktemp("cuda"))

    @pytest.mark.parametrize("side", [1, 5, 33])
    def test_same_as_the_reference(self, library: Any, side: int) -> None:
        case = random_case(batch=3, channels=7, height=side, width=side)
        features, scale = case["features"].requires_grad_(), case["scale"].requires_grad_()
        bias, noise = case["bias"].requires_grad_(), case["noise"].requires_grad_()
        expected = bias_act_reference(features, bias, scale=scale, noise=noise, slope=0.2, gain=1.5, limit=2.0)
        x, settings = op._by_pixel(features).detach(), (0.2, 1.5, 2.0)
        flat_noise = noise.detach().contiguous()
        y = op._cuda_forward(library, x, bias.detach(), scale.detach(), flat_noise, settings)
        assert torch.allclose(op._by_channel(y, features), expected, atol=1e-6)
        cotangent = torch.randn_like(expected)
        truth = torch.autograd.grad(expected, (features, scale, bias, noise), cotangent)
        v_x, v_scale, v_bias, v_noise = op._cuda_backward(
            library, op._by_pixel(cotangent), y, x, scale.detach(), settings
        )
        found = (op._by_channel(v_x, features), v_scale.sum(1), v_bias.sum((0, 1)), v_noise.sum(0).reshape(side, side))
        assert all(torch.allclose(ours, true, rtol=1e-4, atol=1e-4) for ours, true in zip(found, truth, strict=True))
