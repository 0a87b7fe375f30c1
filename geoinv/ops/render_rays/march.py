"""Rays with given samples, native with its gradient."""

from __future__ import annotations

from ctypes import CDLL
from typing import Any

import torch
from torch import Tensor

from ...errors import ShapeError
from ..sample_planes import ThirdPlane
from . import cuda
from .checks import BEST_INSTRUCTIONS, check_rays, is_native
from .reference import DecoderWeights, RayOutput, march_rays_reference


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
    check_rays(planes, origins, directions)
    if distances.ndim != 3 or distances.shape[:2] != origins.shape[:2] or distances.shape[2] < 1:
        raise ShapeError(f"distances must be [{origins.shape[0]}, {origins.shape[1]}, S], got {list(distances.shape)}")
    tensors = (planes, origins, directions, distances, *decoder)
    kernels = cuda.cuda_kernels(*tensors, samples=distances.shape[2])
    if kernels is None and not is_native(*tensors):
        return march_rays_reference(*tensors[:4], decoder, box_side=box_side, third_plane=third_plane)
    return RayOutput(*_MarchRays.apply(*tensors, box_side, third_plane, kernels))


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
        kernels: CDLL | None,  # of the GPU that the tensors are on
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        rays = (origins.contiguous(), directions.contiguous(), distances.contiguous())
        decoder = (hidden_weight, hidden_bias, output_weight, output_bias)
        ctx.save_for_backward(planes, origins, directions, distances, *decoder)
        ctx.box_side, ctx.third_plane, ctx.kernels = box_side, third_plane, kernels
        ctx.set_materialize_grads(False)
        if kernels is not None:
            return cuda.march_rays_forward(kernels, planes, rays, DecoderWeights(*decoder), box_side, third_plane)
        return torch.ops.geoinv.march_rays_forward(
            planes, *rays, *decoder, box_side, third_plane == "zx", BEST_INSTRUCTIONS
        )

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        inputs = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph=True: the kernels have no second-order rule
            return (*_second_order(ctx, inputs, cotangents), None, None, None)
        planes, origins, directions, distances, *decoder = inputs
        rays = (origins.contiguous(), directions.contiguous(), distances.contiguous())
        wants_rays = any(ctx.needs_input_grad[1:4])
        if ctx.kernels is not None:
            settings = (ctx.box_side, ctx.third_plane)
            gradients = cuda.march_rays_backward(
                ctx.kernels, cotangents, planes, rays, DecoderWeights(*decoder), *settings, wants_rays=wants_rays
            )
        else:
            v_planes, *v_decoder, v_origins, v_directions, v_distances = torch.ops.geoinv.march_rays_backward(
                *(None if v is None else v.contiguous() for v in cotangents),
                planes,
                *rays,
                *decoder,
                ctx.box_side,
                ctx.third_plane == "zx",
                wants_rays,
                BEST_INSTRUCTIONS,
            )
            gradients = (v_planes, v_origins, v_directions, v_distances, *v_decoder)
        wanted = zip(gradients, ctx.needs_input_grad[:8], strict=True)
        return (*(gradient if is_wanted else None for gradient, is_wanted in wanted), None, None, None)


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
