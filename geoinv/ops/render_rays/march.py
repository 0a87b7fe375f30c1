"""Rays with given samples, native with its gradient."""

from __future__ import annotations

from ctypes import CDLL
from typing import Any

import torch
from torch import Tensor

from .._gradients import second_order
from ..sample_planes import ThirdPlane
from . import cuda
from .checks import BEST_INSTRUCTIONS, check_distances, check_film, check_rays, is_native
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
    film: Tensor | None = None,  # [B, N, 2 H]
) -> RayOutput:
    """Features and alpha of rays at given samples: o + t d is sampled, decoded, and composited by EG3D's midpoint rule.

    Args:
        planes: Features; see :func:`geoinv.ops.sample_planes.sample_planes`.
        origins: World positions where rays start.
        directions: Unit vectors.
        distances: Ascending, in world units.
        decoder: Weights with gains applied.
        box_side: Side of the cube that the planes span.
        third_plane: Axes of the third plane.
        film: For each ray, a scale and a shift of the hidden units h that colours and features read:
            (1 + film[..., :H]) h + film[..., H:]. Density reads h, so alpha, distance and weights know nothing of film.

    Raises:
        ShapeError: A tensor is not of the stated shape.

    Differentiability: first order native, second order through the reference. Where
    film alone needs a gradient, the backward pass does no more than that takes.
    """
    check_rays(planes, origins, directions)
    check_distances(distances, origins)
    check_film(film, origins, decoder.hidden_weight.shape[0])
    tensors = (planes, origins, directions, distances, *(() if film is None else (film,)), *decoder)
    kernels = cuda.cuda_kernels(*tensors, samples=distances.shape[2])
    if kernels is None and not is_native(*tensors):
        rays = (origins, directions, distances)
        return march_rays_reference(planes, *rays, decoder, box_side=box_side, third_plane=third_plane, film=film)
    inputs = (planes, origins, directions, distances, *decoder, film)
    return RayOutput(*_MarchRays.apply(*inputs, box_side, third_plane, kernels))  # type: ignore[no-untyped-call]


class _MarchRays(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        planes: Tensor,
        origins: Tensor,
        directions: Tensor,
        distances: Tensor,
        hidden_weight: Tensor,
        hidden_bias: Tensor,
        output_weight: Tensor,
        output_bias: Tensor,
        film: Tensor | None,
        box_side: float,
        third_plane: ThirdPlane,
        kernels: CDLL | None,  # of the GPU that the tensors are on
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        rays = (origins.contiguous(), directions.contiguous(), distances.contiguous())
        decoder = DecoderWeights(hidden_weight, hidden_bias, output_weight, output_bias)
        ctx.box_side, ctx.third_plane, ctx.kernels = box_side, third_plane, kernels
        ctx.set_materialize_grads(False)
        if kernels is not None:
            outputs = cuda.march_rays_forward(kernels, planes, rays, decoder, film, box_side, third_plane)
        else:
            outputs = torch.ops.geoinv.march_rays_forward(
                planes, *rays, film, *decoder, box_side, third_plane == "zx", BEST_INSTRUCTIONS
            )
        weights = None
        if _wants_film_alone(ctx.needs_input_grad):
            weights = outputs[3]
            ctx.mark_non_differentiable(*outputs[1:])
        ctx.save_for_backward(planes, origins, directions, distances, *decoder, film, weights)
        return outputs

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Tensor | None, ...]:
        *inputs, weights = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph=True: the kernels have no second-order rule
            return (*_second_order(ctx, tuple(inputs), cotangents), None, None, None)
        if weights is not None and cotangents[0] is None:  # nothing else depends on film
            return (None,) * 12
        planes, origins, directions, distances, *weights_of_decoder, film = inputs
        rays = (origins.contiguous(), directions.contiguous(), distances.contiguous())
        decoder = DecoderWeights(*weights_of_decoder)
        v_outputs = tuple(None if v is None else v.contiguous() for v in cotangents)
        gradients: tuple[Tensor | None, ...]
        if ctx.kernels is not None:
            gradients = cuda.march_rays_backward(
                ctx.kernels,
                v_outputs,
                planes,
                rays,
                decoder,
                film,
                ctx.box_side,
                ctx.third_plane,
                wants=_wants(ctx.needs_input_grad),
            )
        elif weights is not None:
            v_film = torch.ops.geoinv.march_rays_film_backward(
                v_outputs[0],
                weights,
                planes,
                *rays,
                film,
                *decoder,
                ctx.box_side,
                ctx.third_plane == "zx",
                BEST_INSTRUCTIONS,
            )
            gradients = (*(None,) * 8, v_film)
        else:
            wants = _wants(ctx.needs_input_grad)
            v_planes, *v_decoder, v_origins, v_directions, v_distances, v_film = torch.ops.geoinv.march_rays_backward(
                *v_outputs,
                planes,
                *rays,
                film,
                *decoder,
                ctx.box_side,
                ctx.third_plane == "zx",
                *wants,
                BEST_INSTRUCTIONS,
            )
            gradients = (v_planes, v_origins, v_directions, v_distances, *v_decoder, v_film)
        wanted = zip(gradients, ctx.needs_input_grad[:9], strict=True)
        return (*(gradient if is_wanted else None for gradient, is_wanted in wanted), None, None, None)


def _wants(needs_input_grad: tuple[bool, ...]) -> cuda.Wants:
    planes, *others, film = needs_input_grad[:9]
    return cuda.Wants(planes=planes, decoder=any(others[3:]), rays=any(others[:3]), film=film)


def _wants_film_alone(needs_input_grad: tuple[bool, ...]) -> bool:
    return _wants(needs_input_grad) == cuda.Wants(planes=False, decoder=False, rays=False, film=True)


def _second_order(
    ctx: Any, inputs: tuple[Tensor, ...], cotangents: tuple[Tensor | None, ...]
) -> tuple[Tensor | None, ...]:
    """Gradients by the reference, which can be derived again."""
    planes, origins, directions, distances, *decoder, film = inputs
    output = march_rays_reference(
        planes,
        origins,
        directions,
        distances,
        DecoderWeights(*decoder),
        box_side=ctx.box_side,
        third_plane=ctx.third_plane,
        film=film,
    )
    outputs = (output.features, output.alpha, output.distance, output.weights)
    return second_order(outputs, cotangents, inputs, ctx.needs_input_grad[:9])
