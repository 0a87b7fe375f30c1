"""From an inversion to a better one of the same photo, and the metrics of both side by side on the same pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...camera import CameraPose
from ...camera.orbits import turned
from ...faces.identity import identity_descriptor
from ...heads import Head, ViewPair
from ...images.tensors import GREY, at_side, photo_tensor, wholly
from ...metrics.image import psnr_db
from ..encode import Inverted, fit_metrics
from .photo_target import PhotoTarget
from .refine import HeadEstimate, OnStep, Refinement, refine_head

if TYPE_CHECKING:
    from ...models.families import OfPlanes
    from ...models.render_output import RenderOutput

_SIDE_YAW_RAD = math.radians(25.0)


def refine_inversion(
    start: Inverted,
    face: NDArray[np.uint8],  # [512, 512] 1 on the face of the aligned photo
    generator: OfPlanes,
    settings: Refinement,
    on_step: OnStep | None = None,
) -> Inverted:
    """A better inversion of the same photo.

    Args:
        start: The encoder's inversion without details, or the mean head.
        face: [512, 512] 1 on the face, 0 elsewhere.
        generator: The generator of ``start``.
        settings: Budget and loss weights.
        on_step: Called after each step.

    Returns:
        The inversion, whose ``metrics`` have those of :func:`compared_metrics`, with its head and the run; its
        ``method`` is still that of ``start``.
    """
    device = generator.w_avg.device
    inversion = start.inversion
    photo, mask, inside = photo_tensor(inversion.photo), torch.from_numpy(face), torch.from_numpy(inversion.inside)
    target = PhotoTarget.from_picture(photo, mask, generator.config.neural_resolution, device, inside=inside)
    on_mesh = None if inversion.on_mesh is None else inversion.on_mesh.to(device)
    estimate = HeadEstimate(inversion.w_plus.to(device), inversion.camera.to(device), on_mesh=on_mesh)
    run = refine_head(generator, estimate, target, settings, on_step)
    best = run.estimate
    with torch.no_grad():
        head = best.head(generator)
        view = head.view(best.pose.camera(head.orbit))
        heads = {
            inversion.method: (start.head.plain, estimate.pose, start.views.plain),
            "": (head, best.pose, view),
        }
        metrics = compared_metrics(heads, photo, mask, inside)
    refined = replace(
        inversion,
        w_plus=best.w_plus.float().cpu(),
        camera=best.camera.float().cpu(),
        metrics={**fit_metrics(view, inversion.photo, inversion.inside), **metrics},
        steps=run.steps,
        tuning=dict(best.tuning),
        on_mesh=None if best.on_mesh is None else best.on_mesh.to(torch.device("cpu")),
    )
    return Inverted(refined, head, ViewPair(view, view), run)


def compared_metrics(
    heads: Mapping[str, tuple[Head, CameraPose, RenderOutput]],
    photo: Tensor,  # [1, 3, 512, 512] in [0, 1]
    face: Tensor,  # [512, 512]
    inside: Tensor,  # [512, 512] bool, False where the photo is padded beyond its edges
) -> dict[str, float]:
    """Metrics of heads, each with the photo's camera and the view that it gives, on the same pixels of the photo over
    mid-grey, all inside of the photo; the head's name stands before its metrics.

    ``face_psnr_db`` is over the face (the hull of its landmarks); ``head_psnr_db`` over the face and wherever the
    first head is solid; ``identity`` and ``identity_side`` are the distances of the photo's identity descriptor to the
    head's in the photo's view, and in views turned by 25 degrees to both sides (the mean). Optimisation lowers
    ``identity`` itself, so it flatters what it made; the side views are not in its loss.
    """
    first = next(iter(heads.values()))[2]
    side = first.color.shape[-1]
    small, is_face = at_side(photo, side), at_side(face[None, None].float(), side) > 0.5
    is_inside = wholly(inside[None, None], side)
    masks = {"face_psnr_db": is_face, "head_psnr_db": is_face | (first.alpha.float().cpu() > 0.5)}
    masks = {metric: mask & (is_inside > 0.5) for metric, mask in masks.items()}
    descriptor = identity_descriptor(torch.where(inside, photo, GREY))
    metrics: dict[str, float] = {}
    for name, (head, pose, view) in heads.items():
        prefix = f"{name}_" if name else ""
        image = view.cpu().over_grey()
        for metric, mask in masks.items():
            value = psnr_db(image, small, mask).item() if mask.any() else 0.0
            metrics[prefix + metric] = round(value, 4)
        metrics[f"{prefix}identity"] = _distance(torch.where(is_inside > 0.5, image, GREY), descriptor)
        turns = [turned(pose, yaw).camera(head.orbit) for yaw in (-_SIDE_YAW_RAD, _SIDE_YAW_RAD)]
        distances = [_distance(head.view(camera).cpu().over_grey(), descriptor) for camera in turns]
        metrics[f"{prefix}identity_side"] = round(sum(distances) / len(distances), 4)
    return metrics


def _distance(image: Tensor, descriptor: Tensor) -> float:
    return round(float((identity_descriptor(image) - descriptor).norm(dim=1).item()), 4)
