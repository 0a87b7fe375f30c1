"""What views do to each ray: values by hand, native against reference, gradients, bad input."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from geoinv.errors import ShapeError
from geoinv.ops.view_rays import light_rays, light_rays_reference, seen_at_depth, seen_at_depth_reference

NEAR, FAR = 0.02, 0.05


def rays(batch: int, count: int) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(batch * 100 + count)
    composited = torch.rand(batch, count, 7, generator=random)
    composited[..., 4:] = torch.randn(batch, count, 3, generator=random)
    composited[:, :2] = 0.0  # rays that saw nothing
    return composited, functional.normalize(torch.randn(batch, count, 3, generator=random), dim=-1)


@pytest.mark.parametrize(("batch", "lights"), [(1, 1), (2, 2), (3, 1)])
@pytest.mark.parametrize("count", [0, 1, 17, 600])
def test_light_matches_reference(batch: int, lights: int, count: int) -> None:
    composited, directions = rays(batch, count)
    light = torch.randn(lights, 9, 3, generator=torch.Generator().manual_seed(1))
    light[:, 0] = 3.0  # bright, and dark where the others take more from it than there is
    native, reference = light_rays(composited, directions, light), light_rays_reference(composited, directions, light)
    torch.testing.assert_close(native, reference, atol=2e-5, rtol=1e-5)


def test_light_has_gradients_of_any_order() -> None:
    composited, directions = (part[:, 2:].double() for part in rays(1, 5))
    light = torch.full((1, 9, 3), 0.05, dtype=torch.float64)
    light[:, 0] = 3.0
    inputs = (composited.requires_grad_(), directions.requires_grad_(), light.requires_grad_())
    assert torch.autograd.gradcheck(light_rays, inputs) and torch.autograd.gradgradcheck(light_rays, inputs)


def photos(batch: int, side: int, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Positions also beside the photos, distances about their depths, and holes in these."""
    random = torch.Generator().manual_seed(side)
    depth = 2.5 + 0.1 * torch.rand(batch, 1, side, side, generator=random)
    depth[..., : side // 3] = 0.0
    facing = torch.rand(batch, 1, side, side, generator=random)
    positions = torch.rand(batch, count, 2, generator=random) * 1.4 - 0.2
    return positions, 2.5 + 0.1 * torch.rand(batch, count, generator=random), depth, facing


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("side", [1, 2, 7, 64])
def test_seen_matches_reference(batch: int, side: int) -> None:
    case = photos(batch, side, 500)
    native, reference = seen_at_depth(*case, near=NEAR, far=FAR), seen_at_depth_reference(*case, NEAR, FAR)
    torch.testing.assert_close(native, reference, atol=1e-5, rtol=1e-5)


def test_seen_by_hand() -> None:
    """Of 3 x 3 pixels three have the point's depth, one is half of the way off, five are empty."""
    depth = torch.zeros(1, 1, 5, 5)
    depth[0, 0, 1, 1:4], depth[0, 0, 2, 2] = 2.5, 2.535
    share = seen_at_depth(
        torch.full((1, 1, 2), 0.5), torch.full((1, 1), 2.5), depth, torch.ones(1, 1, 5, 5), near=NEAR, far=FAR
    )
    assert float(share) == pytest.approx(3.5 / 9.0, abs=1e-4)


def test_what_is_no_number_is_not_seen() -> None:
    positions, distance, depth, facing = photos(1, 8, 2)
    positions[:, 0] = float("nan")
    assert float(seen_at_depth(positions, distance, depth, facing, near=NEAR, far=FAR)[0, 0]) == 0.0


def test_shapes_are_checked() -> None:
    composited, directions = rays(2, 4)
    with pytest.raises(ShapeError, match="light"):
        light_rays(composited, directions, torch.zeros(3, 9, 3))
    positions, distance, depth, facing = photos(2, 8, 4)
    with pytest.raises(ShapeError, match="facing"):
        seen_at_depth(positions, distance, depth, facing[..., :4], near=NEAR, far=FAR)
