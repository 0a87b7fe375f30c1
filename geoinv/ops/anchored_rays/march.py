"""Rays with given samples: native with its gradient to what is trained, else point by point."""

from __future__ import annotations

from ctypes import CDLL
from typing import Any

import torch
from torch import Tensor

from ...conventions import BOX_SIDE
from .._gradients import needs_gradient, second_order
from ..render_rays import DecoderWeights, RayOutput
from ..render_rays.checks import check_directions, check_distances, check_film
from . import cuda
from .points import check_planes, is_native
from .rays import march_by_points
from .reference import FACE_MARGIN, AnchoredHeads, AnchorVolumes, Box, CanonicalSpace


def march_anchored(
    heads: AnchoredHeads,
    origins: Tensor,  # [B, N, 3]
    directions: Tensor,  # [B, N, 3]
    distances: Tensor,  # [B, N, S]
    decoder: DecoderWeights,
    space: CanonicalSpace,
    *,
    film: Tensor | None = None,  # [B, N, 2 H]
) -> RayOutput:
    """Albedo, gloss, normal, alpha and distance of rays at given ascending samples, by EG3D's midpoint rule.

    Args:
        heads: Planes, volumes and biases.
        origins: World positions where rays start.
        directions: Unit vectors.
        distances: Ascending, in world units.
        decoder: Weights with gains applied; its own hidden bias is not read.
        space: Layout of the planes, and the mesh's density.
        film: Scale and shift of the hidden units that all but density read, for each ray.

    Raises:
        ShapeError: A tensor is not of the stated shape.

    Differentiability: planes, biases and decoder first order native; where volumes, rays or film need a gradient, of
    second order, and where cells are known to be empty, point by point.
    """
    check_heads(heads, origins, directions)
    check_distances(distances, origins)
    check_film(film, origins, heads.hidden_bias.shape[1])
    head, settings = kernel_head(heads, decoder), kernel_settings(heads.volumes.face_box, space)
    constants = (origins, directions, distances, film)
    kernels = cuda.cuda_kernels(head, settings, *constants, samples=distances.shape[2])
    takes_native = kernels is not None or is_native(*head, *constants)
    is_by_points = heads.empty is not None or needs_gradient(heads.volumes.whole, heads.volumes.face, *constants)
    if not takes_native or is_by_points:
        return march_by_points(heads, origins, directions, distances, decoder, space, film=film)
    others = (*constants, heads.volumes.face_box, space, kernels)
    return RayOutput(*_MarchAnchored.apply(*head, *others))  # type: ignore[no-untyped-call]


def check_heads(heads: AnchoredHeads, origins: Tensor, directions: Tensor) -> None:
    """Raise ShapeError unless planes are [B, 4, C, R, R], and there are rays [B, N, 3] for them."""
    check_planes(heads.planes)
    check_directions(len(heads.planes), origins, directions)


def kernel_head(heads: AnchoredHeads, decoder: DecoderWeights) -> cuda.HeadTensors:
    """Tensors of heads in the order in which kernels take them."""
    hidden = (decoder.hidden_weight, heads.hidden_bias)
    return (heads.planes, heads.volumes.whole, heads.volumes.face, *hidden, decoder.output_weight, decoder.output_bias)


def kernel_settings(face_box: Box, space: CanonicalSpace) -> list[float]:
    """Settings as ``settings.h`` lists them."""
    low, high = zip(*face_box, strict=True)
    return [
        *(BOX_SIDE, FACE_MARGIN, *low, *high),
        *(number for axis in space.fovea for number in axis),
        *(space.slab_border, space.slab_width),
        *(space.density, space.floor, space.softness, space.gain),
        *space.distance_scales,
    ]


class _MarchAnchored(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        planes: Tensor,
        whole: Tensor,
        face: Tensor,
        hidden_weight: Tensor,
        hidden_bias: Tensor,  # [B, H]
        output_weight: Tensor,
        output_bias: Tensor,
        origins: Tensor,
        directions: Tensor,
        distances: Tensor,
        film: Tensor | None,
        face_box: Box,
        space: CanonicalSpace,
        kernels: CDLL | None,  # of the GPU that the tensors are on
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        head = (planes, whole, face, hidden_weight, hidden_bias, output_weight, output_bias)
        rays = (origins.contiguous(), directions.contiguous(), distances.contiguous())
        ctx.face_box, ctx.space, ctx.kernels = face_box, space, kernels
        ctx.set_materialize_grads(False)
        settings, seen = kernel_settings(face_box, space), None
        if kernels is not None:
            outputs = cuda.march_anchored_forward(kernels, head, settings, rays, film)
        else:
            *outputs, seen = torch.ops.geoinv.march_anchored_forward(*head, settings, *rays, film)
        ctx.save_for_backward(*head, *rays, film, seen)
        features, alpha, distance, weights = outputs
        return features, alpha, distance, weights

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Tensor | None, ...]:
        *tensors, origins, directions, distances, film, seen = ctx.saved_tensors
        planes, whole, face, *decoder = tensors
        head, rays = (planes, whole, face, *decoder), (origins, directions, distances)
        if torch.is_grad_enabled():  # create_graph=True: the kernels have no second-order rule
            return (*_second_order(ctx, head, rays, film, cotangents), *(None,) * 7)
        v_outputs = tuple(None if v is None else v.contiguous() for v in cotangents)
        settings, wants_planes = kernel_settings(ctx.face_box, ctx.space), ctx.needs_input_grad[0]
        if ctx.kernels is not None:
            v_planes, *v_decoder = cuda.march_anchored_backward(
                ctx.kernels, v_outputs, head, settings, rays, film, wants_planes=wants_planes
            )
        else:
            v_planes, *v_decoder = torch.ops.geoinv.march_anchored_backward(
                *v_outputs, seen, *head, settings, *rays, film, wants_planes
            )
        gradients = (v_planes, None, None, *v_decoder)
        wanted = zip(gradients, ctx.needs_input_grad[:7], strict=True)
        return (*(gradient if is_wanted else None for gradient, is_wanted in wanted), *(None,) * 7)


def _second_order(
    ctx: Any,
    head: tuple[Tensor, ...],
    rays: tuple[Tensor, Tensor, Tensor],
    film: Tensor | None,
    cotangents: tuple[Tensor | None, ...],
) -> tuple[Tensor | None, ...]:
    """Gradients point by point, which can be derived again."""
    planes, whole, face, hidden_weight, hidden_bias, output_weight, output_bias = head
    heads = AnchoredHeads(planes, AnchorVolumes(whole, face, ctx.face_box), hidden_bias)
    decoder = DecoderWeights(hidden_weight, hidden_bias[0], output_weight, output_bias)
    output = march_by_points(heads, *rays, decoder, ctx.space, film=film)
    outputs = (output.features, output.alpha, output.distance, output.weights)
    return second_order(outputs, cotangents, head, ctx.needs_input_grad[:7])
