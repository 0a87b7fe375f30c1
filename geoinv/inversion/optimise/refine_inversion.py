"""From an inversion to a better one of the same photo, and the figures of both side by side on the same pixels."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from numpy.typing import NDArray
from torch import Tensor

from ...camera import CameraPose
from ...faces.identity import identity_descriptor
from ...heads.tuned import tuned_generator
from ...images.tensors import at_side
from ...metrics.image import psnr_db
from ..encode import fit_metrics
from ..saved import Inversion
from .photo_target import GREY, PhotoTarget
from .refine import HeadEstimate, OnStep, RefinedHead, Refinement, refine_head

if TYPE_CHECKING:
    from ...models.generator import RenderOutput, TriPlaneGenerator

_SIDE_YAW_RAD = math.radians(25.0)


def refine_inversion(
    start: Inversion,
    reconstruction: RenderOutput,
    face: NDArray,  # [512, 512] 1 on the face of the aligned photo
    generator: TriPlaneGenerator,
    settings: Refinement,
    on_step: OnStep | None = None,
) -> tuple[Inversion, RenderOutput, RefinedHead]:
    """Refine an inversion.

    Args:
        start: Of an encoder, or the mean head.
        reconstruction: Of ``start`` in the photo's view.
        face: Where the face is.
        generator: Of ``start``.
        settings: How.
        on_step: Told after each step.

    Returns:
        The inversion, whose ``metrics`` have those of :func:`compared_figures`; its reconstruction; and the run.
    """
    device = next(generator.parameters()).device
    photo = torch.from_numpy(start.photo).permute(2, 0, 1)[None].float() / 255.0
    mask = torch.from_numpy(face)
    target = PhotoTarget.from_picture(photo, mask, generator.config.neural_resolution, device)
    estimate = HeadEstimate(start.w_plus.to(device), start.camera.to(device))
    refined = refine_head(generator, estimate, target, settings, on_step)
    best = refined.estimate
    with torch.no_grad():
        own = tuned_generator(generator, best.tuning)
        cam2world = CameraPose.from_vector(best.camera[None]).cam2world()
        render = own.render(own.planes(best.w_plus), cam2world, w_plus=best.w_plus)
        figures = compared_figures(
            {start.method: (generator, estimate, reconstruction), "": (own, best, render)}, photo, mask
        )
    inversion = replace(
        start,
        w_plus=best.w_plus.float().cpu(),
        camera=best.camera.float().cpu(),
        metrics={**fit_metrics(render, start.photo), **figures},
        method=settings.method,
        steps=refined.steps,
        tuning=dict(best.tuning),
    )
    return inversion, render, refined


def compared_figures(
    heads: dict[str, tuple[TriPlaneGenerator, HeadEstimate, RenderOutput]],
    photo: Tensor,  # [1, 3, 512, 512] in [0, 1]
    face: Tensor,  # [512, 512]
) -> dict[str, float]:
    """Figures of heads on the same pixels of a photo, over mid-grey, the first head's name before its figures.

    ``face_psnr_db`` is over the face (the hull of its landmarks); ``head_psnr_db`` over the face and wherever the
    first head is solid; ``identity`` and ``identity_side`` are the distances of the photo's identity descriptor to the
    head's in the photo's view, and in views turned by 25 degrees to both sides (the mean). Optimisation lowers
    ``identity`` itself, so it flatters what it made; the side views are not in its loss.
    """
    first = next(iter(heads.values()))[2]
    side = first.color.shape[-1]
    small, is_face = at_side(photo, side), at_side(face[None, None].float(), side) > 0.5
    masks = {"face_psnr_db": is_face, "head_psnr_db": is_face | (first.alpha.float().cpu() > 0.5)}
    descriptor = identity_descriptor(photo)
    figures: dict[str, float] = {}
    for name, (generator, estimate, render) in heads.items():
        prefix = f"{name}_" if name else ""
        image = _over_grey(render)
        for figure, mask in masks.items():
            value = psnr_db(image, small, mask).item() if mask.any() else 0.0
            figures[prefix + figure] = round(value, 4)
        figures[f"{prefix}identity"] = _distance(image, descriptor)
        turned = _side_views(generator, estimate)
        figures[f"{prefix}identity_side"] = round(sum(_distance(view, descriptor) for view in turned) / 2, 4)
    return figures


def _distance(image: Tensor, descriptor: Tensor) -> float:
    return round((identity_descriptor(image) - descriptor).norm(dim=1).item(), 4)


def _side_views(generator: TriPlaneGenerator, estimate: HeadEstimate) -> list[Tensor]:
    planes = generator.planes(estimate.w_plus)
    views = []
    for yaw in (-_SIDE_YAW_RAD, _SIDE_YAW_RAD):
        vector = estimate.camera[None].clone()
        vector[:, 0] += yaw
        cam2world = CameraPose.from_vector(vector).cam2world()
        views.append(_over_grey(generator.render(planes, cam2world, w_plus=estimate.w_plus)))
    return views


def _over_grey(render: RenderOutput) -> Tensor:
    return (render.over(GREY).float().cpu() + 1.0) / 2.0
