"""Rays through three feature planes: sampling, point decoder and compositing in one operation (EG3D, section 3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import ShapeError
from .._build import load_native
from ..sample_planes import ThirdPlane
from . import volume
from .reference import (
    DecoderWeights,
    RayOutput,
    RaySampling,
    even_distances,
    march_rays_reference,
    render_rays_reference,
)

__all__ = [
    "DecoderWeights",
    "RayOutput",
    "RaySampling",
    "march_rays",
    "march_rays_reference",
    "render_rays",
    "render_rays_reference",
]

_FOLDER = Path(__file__).parent
_SOURCES = tuple(sorted(_FOLDER.glob("*.cpp"))) + tuple(sorted(_FOLDER.glob("*.h")))
_BEST_INSTRUCTIONS = -1


def march_rays(
    planes: Tensor,  # [B, 3, C, R, R]
    origins: Tensor,  # [B, N, 3]
    directions: Tensor,  # [B, N, 3]
    distances: Tensor,  # [B, N, S]
    decoder: DecoderWeights,
    *,
    box_side: float,
    third_plane: ThirdPlane,
) -> RayOutput:
    """What rays see of given samples: o + t d is sampled, decoded, and composited by EG3D's midpoint rule.

    Args:
        planes: Features; see :func:`geoinv.ops.sample_planes.sample_planes`.
        origins: World positions where rays start.
        directions: Unit vectors.
        distances: Ascending, in world units.
        decoder: Weights with gains applied.
        box_side: Side of the cube that the planes span.
        third_plane: Axes of the third plane.

    Raises:
        ShapeError: A tensor is not of the stated shape.

    Differentiability: first order native, second order through the reference.
    """
    _check_rays(planes, origins, directions)
    if distances.ndim != 3 or distances.shape[:2] != origins.shape[:2] or distances.shape[2] < 1:
        raise ShapeError(f"distances must be [{origins.shape[0]}, {origins.shape[1]}, S], got {list(distances.shape)}")
    tensors = (planes, origins, directions, distances, *decoder)
    if not _is_native(*tensors):
        return march_rays_reference(*tensors[:4], decoder, box_side=box_side, third_plane=third_plane)
    return RayOutput(*_MarchRays.apply(*tensors, box_side, third_plane))


def render_rays(
    planes: Tensor,  # [B, 3, C, R, R]
    origins: Tensor,  # [B, N, 3]
    directions: Tensor,  # [B, N, 3]
    decoder: DecoderWeights,
    sampling: RaySampling,
) -> RayOutput:
    """Two-pass volume rendering: even samples, then more of them where the first saw something."""
    _check_rays(planes, origins, directions)
    if not _is_native(planes, origins, directions, *decoder):
        return render_rays_reference(planes, origins, directions, decoder, sampling)
    box_side, third_plane = sampling.box_side, sampling.third_plane
    distances = even_distances(origins, directions, sampling)
    if sampling.num_importance:
        with torch.no_grad():
            seen = march_rays(
                planes, origins, directions, distances, decoder, box_side=box_side, third_plane=third_plane
            )
            fine = volume.importance_depths(distances, seen.weights, sampling.num_importance)
        distances = torch.cat([distances, fine], dim=-1).sort(dim=-1).values
    return march_rays(planes, origins, directions, distances, decoder, box_side=box_side, third_plane=third_plane)


def _check_rays(planes: Tensor, origins: Tensor, directions: Tensor) -> None:
    if planes.ndim != 5 or planes.shape[1] != 3 or planes.shape[3] != planes.shape[4]:
        raise ShapeError(f"planes must be [B, 3, C, R, R], got {list(planes.shape)}")
    for name, rays in (("origins", origins), ("directions", directions)):
        if rays.ndim != 3 or rays.shape[2] != 3 or rays.shape[0] != planes.shape[0]:
            raise ShapeError(f"{name} must be [{planes.shape[0]}, N, 3], got {list(rays.shape)}")
    if origins.shape != directions.shape:
        raise ShapeError(f"{origins.shape[1]} origins but {directions.shape[1]} directions")


def _is_native(*tensors: Tensor) -> bool:
    usable = all(tensor.device.type == "cpu" and tensor.dtype == torch.float32 for tensor in tensors)
    return usable and load_native("render_rays", _SOURCES, portable=True)


class _MarchRays(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        planes: Tensor,
        origins: Tensor,
        directions: Tensor,
        distances: Tensor,
        hidden_weight: Tensor,
        hidden_bias: Tensor,
        output_weight: Tensor,
        output_bias: Tensor,
        box_side: float,
        third_plane: ThirdPlane,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        rays = (origins.contiguous(), directions.contiguous(), distances.contiguous())
        decoder = (hidden_weight, hidden_bias, output_weight, output_bias)
        ctx.save_for_backward(planes, origins, directions, distances, *decoder)
        ctx.box_side, ctx.third_plane = box_side, third_plane
        ctx.set_materialize_grads(False)
        return torch.ops.geoinv.march_rays_forward(
            planes, *rays, *decoder, box_side, third_plane == "zx", _BEST_INSTRUCTIONS
        )

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        inputs = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph=True: the kernels have no second-order rule
            return (*_second_order(ctx, inputs, cotangents), None, None)
        planes, origins, directions, distances, *decoder = inputs
        rays = (origins.contiguous(), directions.contiguous(), distances.contiguous())
        v_planes, *v_decoder, v_origins, v_directions, v_distances = torch.ops.geoinv.march_rays_backward(
            *(None if v is None else v.contiguous() for v in cotangents),
            planes,
            *rays,
            *decoder,
            ctx.box_side,
            ctx.third_plane == "zx",
            any(ctx.needs_input_grad[1:4]),
            _BEST_INSTRUCTIONS,
        )
        gradients = (v_planes, v_origins, v_directions, v_distances, *v_decoder)
        wanted = zip(gradients, ctx.needs_input_grad[:8], strict=True)
        return (*(gradient if is_wanted else None for gradient, is_wanted in wanted), None, None)


def _second_order(
    ctx: Any, inputs: tuple[Tensor, ...], cotangents: tuple[Tensor | None, ...]
) -> tuple[Tensor | None, ...]:
    """Gradients by the reference, which can be derived again."""
    planes, origins, directions, distances, *decoder = inputs
    output = march_rays_reference(
        planes,
        origins,
        directions,
        distances,
        DecoderWeights(*decoder),
        box_side=ctx.box_side,
        third_plane=ctx.third_plane,
    )
    outputs = (output.features, output.alpha, output.distance, output.weights)
    given = [(value, v) for value, v in zip(outputs, cotangents, strict=True) if v is not None and value.requires_grad]
    wanted = [tensor for tensor, is_wanted in zip(inputs, ctx.needs_input_grad, strict=False) if is_wanted]
    gradients = iter(
        torch.autograd.grad(
            [value for value, _ in given], wanted, [v for _, v in given], create_graph=True, allow_unused=True
        )
    )
    return tuple(next(gradients) if is_wanted else None for is_wanted in ctx.needs_input_grad[:8])
