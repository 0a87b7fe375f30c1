"""Metrics of a generator that is given the true z of held-out heads: what bounds all that is made of photos.

Views are compared at the side of the generator's rays and at full size, over the true head in front of mid-grey.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..camera import Camera
from ..conventions import FACE_ORBIT
from ..heads import AnchoredHead, PlainHead, plain_head
from ..images.tensors import at_side
from ..metrics.geometry import units_to_mm
from ..metrics.image import psnr_db, sharpness, ssim
from ..progress import OnCount
from .held_out import BEHIND_DEG, HeldOutHead, HeldOutHeads, KnownHead, load_held_out
from .means import Means, Metrics
from .view_errors import errors_on_mesh, face_masks, geometry_errors, over_grey

if TYPE_CHECKING:
    from ..heads import OfPlanesHead
    from ..models.families import OfPlanes

_FORMER_VIEWS_DEG = 0, 30  # in which the former metrics are measured, so that those of all formats can be compared
_WIDEST_DEG = 60
_NAMES = (
    *("psnr_db", "ssim", "256_psnr_db", "256_ssim", "256_psnr_db_to_60", "256_psnr_db_behind", "sharpness"),
    *("depth_units", "shape_depth_units", "normal_deg", "depth_normal_deg", "alpha_iou", "vertices_mm", "light_off"),
)


def knows_latents(generator: OfPlanes, held_out: HeldOutHeads) -> bool:
    """Whether the heads' z are of the length that the generator takes: else they are of another sampler."""
    return held_out.latents.shape[1] == generator.config.z_dim


def evaluate_generator(
    generator: OfPlanes,
    held_out: HeldOutHeads | None = None,
    *,
    limit: int | None = None,
    on_head: OnCount | None = None,
) -> Metrics:
    """Metrics of a generator by itself; None where there is nothing to measure, as for a z of another length.

    Args:
        generator: Generator in evaluation mode.
        held_out: The shipped heads by default.
        limit: Number of heads to measure, from the first; all by default.
        on_head: Function that is called with the number of heads done.

    Returns:
        ``generator_psnr_db``, ``generator_256_psnr_db`` and the like of the input view and those at +-30 degrees;
        ``_to_60`` of all but the one from behind. ``generator_sharpness``: mean gradient over the true one, over the
        face in the input view and at +-30 degrees. ``generator_expression_share``: the fraction of the true difference
        between two faces of a person that is shown. Depth and normals are of the input view.
    """
    held_out = held_out if held_out is not None else load_held_out()
    count, means = held_out.count_up_to(limit), Means()
    with torch.no_grad():
        for index in range(count if knows_latents(generator, held_out) else 0):
            measure_generator(means, generator, held_out.head(index))
            if on_head is not None:
                on_head(index + 1)
    return {"heads": count, **generator_metrics(means)}


def generator_metrics(means: Means) -> Metrics:
    """Metrics that :func:`measure_generator` added."""
    metrics: Metrics = {f"generator_{name}": means.mean(f"generator_{name}") for name in _NAMES}
    for name in ("depth", "shape_depth"):
        depth = means.mean(f"generator_{name}_units")
        metrics[f"generator_{name}_mm"] = None if depth is None else units_to_mm(depth)
    shown, wanted = means.mean(_SHOWN), means.mean(_WANTED)
    metrics["generator_expression_share"] = shown / wanted if shown is not None and wanted else None
    return metrics


def measure_generator(means: Means, generator: OfPlanes, head: HeldOutHead) -> None:
    """Add the generator's own errors on one head: true z and true cameras."""
    made = head_of(generator, head.z)
    faces = None if head.known is None else face_masks(head.known.shape, head.cam2world)
    former, is_wide = head.views_at(*_FORMER_VIEWS_DEG), bool(head.views_at(_WIDEST_DEG))
    first = head.color[:1]
    for view, yaw_deg in enumerate(head.yaws_deg):
        if view not in former and not is_wide:
            continue
        camera = Camera(head.cam2world[view : view + 1], FACE_ORBIT.focal)
        render = made.view(camera)
        truth, alpha = head.color[view : view + 1], head.alpha[view : view + 1]
        color, on_head = over_grey(render, truth.shape[-1]), alpha > 0.5
        first = color if view == 0 else first
        fit = psnr_db(color, truth, on_head)
        if is_wide:
            means.add(f"generator_256_psnr_db_{'behind' if yaw_deg == BEHIND_DEG else 'to_60'}", fit)
        if view not in former:
            continue
        means.add("generator_256_psnr_db", fit)
        means.add("generator_256_ssim", ssim(color, truth, on_head))
        if faces is not None:
            means.add("generator_sharpness", sharpness(color, truth, faces[view : view + 1] & on_head))
        small = made.view(camera, superresolution=False) if isinstance(made, PlainHead) else render
        side = small.color.shape[-1]
        small_truth, small_alpha = at_side(truth, side), at_side(alpha, side)
        color = over_grey(small, side)
        means.add("generator_psnr_db", psnr_db(color, small_truth, small_alpha > 0.5))
        means.add("generator_ssim", ssim(color, small_truth, small_alpha > 0.5))
        solid, true_solid = small.alpha.cpu() > 0.5, small_alpha > 0.5
        means.add("generator_alpha_iou", (solid & true_solid).sum() / (solid | true_solid).sum())
        if view == 0:
            for name, error in geometry_errors(small, head).items():
                means.add(f"generator_{name}", error)
    if head.known is not None:
        twin = head_of(generator, head.known.twin_z)
        _measure_expression(means, twin, head, head.known, first)
        if isinstance(made, AnchoredHead):
            for name, error in errors_on_mesh(made.on_mesh, head.known).items():
                means.add(f"generator_{name}", error)


def head_of(generator: OfPlanes, z: Tensor) -> OfPlanesHead:
    """The head of a z [1, z_dim]."""
    return plain_head(generator, generator.mapping(z.to(next(generator.parameters()).device)))


_SHOWN, _WANTED = "generator_change_shown", "generator_change_wanted"  # their quotient is the share of expressions


def _measure_expression(means: Means, twin: OfPlanesHead, head: HeldOutHead, known: KnownHead, color: Tensor) -> None:
    """Add how much of a head's difference from its twin shows; ``color`` is the head's result in the input view."""
    camera = Camera(head.cam2world[:1], FACE_ORBIT.focal)
    change = over_grey(twin.view(camera), color.shape[-1]) - color
    true_change = known.twin_color - head.color[:1]
    means.add(_SHOWN, (true_change * change).mean())
    means.add(_WANTED, true_change.square().mean())
