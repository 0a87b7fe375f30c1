"""Volumes and planes at points, native where they can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...conventions import BOX_SIDE
from ...errors import ShapeError
from .._build import takes_floats
from .._compile import Operation
from .._gradients import needs_gradient
from ..render_rays import DecoderWeights
from .reference import (
    FACE_MARGIN,
    PLANES,
    AnchoredHeads,
    AnchorVolumes,
    CanonicalSpace,
    decode_anchored,
    foveated,
    front_share,
    read_anchor_reference,
    sample_canonical_reference,
)

_FOLDER = Path(__file__).parent

OPERATION = Operation("anchored_rays", tuple(sorted(_FOLDER.glob("*.cpp"))), uses=(_FOLDER.parent / "render_rays",))


def is_native(*tensors: Tensor | None) -> bool:
    """Whether the kernels are built (once, here) and take these tensors."""
    return takes_floats(OPERATION, *tensors)


def check_planes(planes: Tensor) -> None:
    """Raise ShapeError unless planes are [B, 4, C, R, R]."""
    if planes.ndim != 5 or planes.shape[1] != PLANES or planes.shape[3] != planes.shape[4]:
        raise ShapeError(f"planes must be [B, {PLANES}, C, R, R], got {list(planes.shape)}")


def read_anchor(volumes: AnchorVolumes, points: Tensor) -> Tensor:
    """The eight channels [B, N, 8] of anchor volumes at world points [B, N, 3].

    Raises:
        ShapeError: Points of another shape or number of heads.

    Differentiability: native without gradients; any order through the reference.
    """
    if points.ndim != 3 or points.shape[2] != 3 or len(points) != len(volumes.whole):
        raise ShapeError(f"points must be [{len(volumes.whole)}, N, 3], got {list(points.shape)}")
    tensors = (volumes.whole, volumes.face, points)
    if needs_gradient(*tensors) or not is_native(*tensors):
        return read_anchor_reference(volumes, points)
    low, high = zip(*volumes.face_box, strict=True)
    whole, face, points = (tensor.contiguous() for tensor in tensors)
    values: Tensor = torch.ops.geoinv.read_anchor(whole, face, points, low, high, BOX_SIDE, FACE_MARGIN)
    return values


def sample_canonical(planes: Tensor, places: Tensor, front: Tensor) -> Tensor:
    """Features [B, N, C] of canonical planes; see :func:`.sample_canonical_reference`.

    Raises:
        ShapeError: A tensor is not of the stated shape.

    Differentiability: planes first order native, places, front and second order through the reference.
    """
    check_planes(planes)
    batch = len(planes)
    if places.ndim != 3 or places.shape[2] != 3 or len(places) != batch:
        raise ShapeError(f"places must be [{batch}, N, 3], got {list(places.shape)}")
    if front.shape != places.shape[:2]:
        raise ShapeError(f"front must be {list(places.shape[:2])}, got {list(front.shape)}")
    if places.requires_grad or front.requires_grad or not is_native(planes, places, front):
        return sample_canonical_reference(planes, places, front)
    features: Tensor = _SampleCanonical.apply(planes, places, front)  # type: ignore[no-untyped-call]
    return features


class _SampleCanonical(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, planes: Tensor, places: Tensor, front: Tensor) -> Tensor:
        ctx.save_for_backward(planes, places, front)
        by_pixel = planes.permute(0, 3, 4, 1, 2).contiguous()  # [B, R, R, 4, C], free after channels-last convolutions
        features: Tensor = torch.ops.geoinv.sample_canonical_forward(by_pixel, places.contiguous(), front.contiguous())
        return features

    @staticmethod
    def backward(ctx: Any, v_features: Tensor) -> tuple[Tensor | None, None, None]:
        planes, places, front = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph=True: the kernel has no second-order rule
            features = sample_canonical_reference(planes, places, front)
            (v_planes,) = torch.autograd.grad(features, (planes,), v_features, create_graph=True)
            return v_planes, None, None
        taken = (v_features.contiguous(), places.contiguous(), front.contiguous())
        v_planes = torch.ops.geoinv.sample_canonical_backward(*taken, planes.shape[-1])
        return v_planes.permute(0, 3, 4, 1, 2), None, None


def decode_points(
    heads: AnchoredHeads,
    points: Tensor,
    decoder: DecoderWeights,
    space: CanonicalSpace,
    film: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Raw density [B, N] and features [B, N, 7] at world points [B, N, 3]; see :mod:`.reference`."""
    return decode_anchored(*read_points(heads, points, space), heads.hidden_bias, decoder, space, film)


def read_points(heads: AnchoredHeads, points: Tensor, space: CanonicalSpace) -> tuple[Tensor, Tensor]:
    """Features [B, N, C] of the planes and anchor [B, N, 8] at world points [B, N, 3]."""
    anchor = read_anchor(heads.volumes, points)
    canonical = points + anchor[..., :3]
    places, front = foveated(canonical, space), front_share(canonical[..., 2], space)
    return sample_canonical(heads.planes, places, front), anchor
