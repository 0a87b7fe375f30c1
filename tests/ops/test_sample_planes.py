"""Plane sampling: values by hand, native against reference, gradients of first and second order."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from geoinv.errors import ShapeError
from geoinv.ops.sample_planes import ThirdPlane, sample_planes, sample_planes_reference


def random_case(*, batch: int = 2, channels: int = 5, side: int = 7, count: int = 33) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(batch * 1000 + channels * 100 + side + count)
    planes = torch.randn(batch, 3, channels, side, side, generator=random)
    points = torch.rand(batch, count, 3, generator=random) * 1.4 - 0.7  # a third lies outside of the box
    return planes, points


@pytest.mark.parametrize("third_plane", ["zx", "zy"])
def test_hand_computed(third_plane: ThirdPlane) -> None:
    planes = torch.zeros(1, 3, 1, 2, 2)
    planes[0, 0, 0] = torch.tensor([[1.0, 2.0], [3.0, 4.0]])  # rows y, columns x
    planes[0, 2, 0] = torch.tensor([[10.0, 20.0], [30.0, 40.0]])  # columns z
    # pixel centres of a 2 px plane lie at +-0.25 of a box of side 1
    point = torch.tensor([[[0.25, -0.25, -0.25]]])
    third = {"zx": 30.0, "zy": 10.0}[third_plane]  # row x = +0.25, or row y = -0.25
    assert sample_planes(planes, point, box_side=1.0, third_plane=third_plane).item() == pytest.approx((2 + third) / 3)


@pytest.mark.parametrize("third_plane", ["zx", "zy"])
@pytest.mark.parametrize("channels", [1, 5, 32])
@pytest.mark.parametrize("count", [0, 1, 31, 600])
def test_matches_reference(third_plane: ThirdPlane, channels: int, count: int) -> None:
    planes, points = random_case(channels=channels, count=count)
    native = sample_planes(planes, points, box_side=0.9, third_plane=third_plane)
    reference = sample_planes_reference(planes, points, box_side=0.9, third_plane=third_plane)
    assert native.shape == reference.shape
    assert torch.allclose(native, reference, atol=1e-5)


def test_non_contiguous_inputs() -> None:
    planes, points = random_case()
    strided_planes = planes.transpose(3, 4).contiguous().transpose(3, 4)
    strided_points = points.transpose(1, 2).contiguous().transpose(1, 2)
    native = sample_planes(strided_planes, strided_points, box_side=1.0, third_plane="zy")
    assert torch.allclose(native, sample_planes_reference(planes, points, box_side=1.0, third_plane="zy"), atol=1e-5)


@pytest.mark.parametrize("function", [sample_planes, sample_planes_reference])
def test_not_a_number_is_outside(function: Any) -> None:
    planes, points = random_case(count=2)
    points[:, 0] = float("nan")
    sampled = function(planes, points, box_side=1.0, third_plane="zy")
    assert (sampled[:, 0] == 0.0).all()
    assert (sampled[:, 1] != 0.0).any()


def test_same_with_one_and_two_threads() -> None:
    planes, points = random_case(channels=32, count=3000)
    planes.requires_grad_()
    threads, results = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            sampled = sample_planes(planes, points, box_side=1.0, third_plane="zy")
            results.append((sampled, *torch.autograd.grad(sampled.square().sum(), planes)))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(one, two) for one, two in zip(*results, strict=True))


def test_gradient_matches_reference() -> None:
    planes, points = random_case(channels=32, count=500)
    planes.requires_grad_()
    cotangent = torch.randn(2, 500, 32)
    gradients = []
    for function in (sample_planes, sample_planes_reference):
        output = function(planes, points, box_side=1.0, third_plane="zy")
        gradients.append(torch.autograd.grad(output, planes, cotangent)[0])
    assert torch.allclose(*gradients, atol=1e-5)


def test_gradient_to_points_comes_from_the_reference() -> None:
    planes, points = random_case()
    points.requires_grad_()
    sample_planes(planes, points, box_side=1.0, third_plane="zy").sum().backward()
    assert points.grad is not None and points.grad.abs().sum() > 0


def test_second_order_is_the_truth() -> None:
    planes, points = random_case(count=9)
    penalties = []
    for function in (sample_planes, sample_planes_reference):
        leaf = planes.clone().requires_grad_()
        output = function(leaf, points, box_side=1.0, third_plane="zy").exp().sum() + (leaf**3).sum()
        (first,) = torch.autograd.grad(output, leaf, create_graph=True)
        penalties.append(torch.autograd.grad(first.square().sum(), leaf)[0])
    assert torch.allclose(*penalties, rtol=1e-4, atol=1e-4)


def test_rejects_other_shapes() -> None:
    planes, points = random_case()
    with pytest.raises(ShapeError, match="planes"):
        sample_planes(planes[:, :2], points, box_side=1.0, third_plane="zy")
    with pytest.raises(ShapeError, match="points"):
        sample_planes(planes, points[:1], box_side=1.0, third_plane="zy")


def test_the_reference_serves_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOINV_BACKEND", "reference")
    planes, points = random_case()
    output = sample_planes(planes, points, box_side=1.0, third_plane="zy")
    assert torch.equal(output, sample_planes_reference(planes, points, box_side=1.0, third_plane="zy"))
