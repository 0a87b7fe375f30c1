"""Features of points from three axis-aligned planes (EG3D, Chan et al., CVPR 2022, section 3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import ShapeError
from .._build import takes_floats
from .._compile import Operation
from .reference import ThirdPlane, sample_planes_reference

OPERATION = Operation("sample_planes", (Path(__file__).parent / "sample_planes_cpu.cpp",))

__all__ = ["ThirdPlane", "sample_planes", "sample_planes_reference"]


def sample_planes(
    planes: Tensor,  # [B, 3, C, R, R]
    points: Tensor,  # [B, N, 3] in world units
    *,
    box_side: float,
    third_plane: ThirdPlane,
) -> Tensor:
    """Mean of the bilinear samples of the three planes at the projections of each point.

    Args:
        planes: Features; plane axes (column, row) are (x, y), (x, z) and (z, x) or (z, y) as ``third_plane`` says.
        points: World positions; outside of the cube of side ``box_side`` a plane counts as zero.
        box_side: Side of the cube that the planes span.
        third_plane: "zx" as in EG3D's released weights, "zy" for planes that span all three axis pairs.

    Returns:
        [B, N, C].

    Raises:
        ShapeError: ``planes`` or ``points`` is not of the stated shape.

    Differentiability: planes first order native, points and second order through the reference.
    """
    if planes.ndim != 5 or planes.shape[1] != 3 or planes.shape[3] != planes.shape[4]:
        raise ShapeError(f"planes must be [B, 3, C, R, R], got {list(planes.shape)}")
    if points.ndim != 3 or points.shape[2] != 3 or points.shape[0] != planes.shape[0]:
        raise ShapeError(f"points must be [{planes.shape[0]}, N, 3], got {list(points.shape)}")
    if points.requires_grad or not takes_floats(OPERATION, planes, points):
        return sample_planes_reference(planes, points, box_side=box_side, third_plane=third_plane)
    features: Tensor = _SamplePlanes.apply(planes, points, box_side, third_plane)  # type: ignore[no-untyped-call]
    return features


class _SamplePlanes(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, planes: Tensor, points: Tensor, box_side: float, third_plane: ThirdPlane) -> Tensor:
        ctx.save_for_backward(planes, points)
        ctx.box_side, ctx.third_plane = box_side, third_plane
        by_pixel = planes.permute(0, 3, 4, 1, 2).contiguous()  # [B, R, R, 3, C], free after channels-last convolutions
        taken = (by_pixel, points.contiguous(), box_side, third_plane == "zx")
        features: Tensor = torch.ops.geoinv.sample_planes_forward(*taken)
        return features

    @staticmethod
    def backward(ctx: Any, v_features: Tensor) -> tuple[Tensor | None, None, None, None]:
        planes, points = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph=True: the kernel has no second-order rule
            features = sample_planes_reference(planes, points, box_side=ctx.box_side, third_plane=ctx.third_plane)
            (v_planes,) = torch.autograd.grad(features, (planes,), v_features, create_graph=True)
            return v_planes, None, None, None
        v_planes = torch.ops.geoinv.sample_planes_backward(
            v_features.contiguous(), points.contiguous(), planes.shape[-1], ctx.box_side, ctx.third_plane == "zx"
        )
        return v_planes.permute(0, 3, 4, 1, 2), None, None, None
