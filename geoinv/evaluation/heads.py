"""Metrics on held-out heads: photo to head by the encoder, and the generator given the true z.

Colours are compared over mid-grey, on the pixels where the truth's alpha is above one half; each metric is taken per
picture and then averaged. The reconstruction's input view is seen by the camera that the encoder predicts; its novel
views by that camera moved on by the true difference of the poses (yaw, pitch, roll and shift), so a wrong camera
counts once and is not forgiven. Depth and normals are compared pixel by pixel in the input view, each in its own
camera's axes, where both alphas are above one half; ``shape_depth`` is depth without the median difference, which is
where along the view the head stands. Identity is the distance of a view's descriptor to that of the true
picture of the same view, both over mid-grey.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..camera import Camera, CameraPose
from ..camera.surface import render_normals
from ..conventions import FACE_ORBIT
from ..faces.identity import identity_descriptor
from ..heads import Head, PlainHead, plain_head
from ..images.tensors import at_side
from ..metrics.camera import rotation_angle_deg
from ..metrics.geometry import (
    both_solid,
    depth_error_units,
    normal_error_deg,
    shape_depth_error_units,
    units_to_mm,
)
from ..metrics.image import psnr_db, ssim
from ..progress import OnCount
from .held_out import HeldOutHead, HeldOutHeads, load_held_out
from .means import Means, Metrics
from .variants import Invert, encoded_by

if TYPE_CHECKING:
    from torch import nn

    from ..align import FaceAligner
    from ..models.families import OfPlanes
    from ..models.local_branch import LocalBranch
    from ..models.render_output import RenderOutput

NOVEL_DEG = 30
"""Yaw of the views, to both sides, that ``novel_psnr_db``, ``ssim_novel`` and ``identity_novel`` measure."""

_NAMES = (
    *("input_psnr_db", "novel_psnr_db", "psnr_db_15", "psnr_db_30", "psnr_db_45", "ssim_input", "ssim_novel"),
    *("depth_units", "shape_depth_units", "normal_deg", "camera_deg", "identity_input", "identity_novel"),
)
_SECONDS = "inversion_seconds"


def evaluate_heads(
    generator: OfPlanes,
    encoder: nn.Module | None,
    held_out: HeldOutHeads | None = None,
    *,
    branch: LocalBranch | None = None,
    aligner: FaceAligner | None = None,
    limit: int | None = None,
    on_head: OnCount | None = None,
) -> Metrics:
    """All metrics; None where there is nothing to measure (no encoder, or a z of another length).

    Args:
        generator: Generator in evaluation mode.
        encoder: E0: image [B, 3, 256, 256] -> ``w_plus`` and ``camera``; None measures the generator alone.
        held_out: The shipped heads by default.
        branch: Local branch, to measure heads with their photo's details; None to measure them without.
        aligner: Detector of the landmarks that heads on the head mesh are fitted to; None for the encoder's guess.
        limit: Number of heads to measure, from the first; all by default.
        on_head: Function that is called with the number of heads done.
    """
    held_out = held_out if held_out is not None else load_held_out()
    count = held_out.count_up_to(limit)
    device = next(generator.parameters()).device
    means = Means()
    invert = None if encoder is None else encoded_by(encoder, generator, branch, aligner=aligner)
    with torch.no_grad():
        for index in range(count):
            head = held_out.head(index)
            if invert is not None:
                measure_inversion(means, invert, head, head.photo(index).to(device))
            if held_out.latents.shape[1] == generator.config.z_dim:
                _measure_generator(means, generator, head, device)
            if on_head is not None:
                on_head(index + 1)
    return {**inversion_metrics(means, count), **_generator_metrics(means)}


def head_metrics(means: Means, count: int) -> Metrics:
    """Metrics that :func:`measure_head` added to the means of ``count`` heads."""
    metrics: Metrics = {"heads": count, **{name: means.mean(name) for name in _NAMES}}
    for name in ("depth", "shape_depth"):
        depth = means.mean(f"{name}_units")
        metrics[f"{name}_mm"] = None if depth is None else units_to_mm(depth)
    return metrics


def inversion_metrics(means: Means, count: int) -> Metrics:
    """Metrics that :func:`measure_inversion` added: those of the heads, and the median time of an inversion."""
    seconds = means.values.get(_SECONDS)
    return {**head_metrics(means, count), _SECONDS: None if not seconds else statistics.median(seconds)}


def _generator_metrics(means: Means) -> Metrics:
    metrics: Metrics = {}
    generator_names = ("psnr_db", "ssim", "256_psnr_db", "256_ssim", "depth_units", "normal_deg", "alpha_iou")
    metrics.update({f"generator_{name}": means.mean(f"generator_{name}") for name in generator_names})
    depth = means.mean("generator_depth_units")
    metrics["generator_depth_mm"] = None if depth is None else units_to_mm(depth)
    return metrics


def measure_inversion(
    means: Means,
    invert: Invert,
    head: HeldOutHead,
    photo: Tensor,  # [1, 3, 256, 256] in [0, 1], on the generator's device
    truths: dict[int, Tensor] | None = None,
) -> None:
    """Invert the photo of a head; add the metrics of :func:`measure_head` and the time that the inversion took."""
    if _SECONDS not in means.values:
        invert(photo)  # the first run also loads kernels, which is not what an inversion takes
    start = _now(photo.device)
    made = invert(photo)
    means.add(_SECONDS, torch.tensor(_now(photo.device) - start, dtype=torch.float64))
    measure_head(means, made.head, made.pose, head, truths)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def true_descriptors(head: HeldOutHead) -> dict[int, Tensor]:
    """Identity descriptors [1, 128] of the true pictures, by view: the input view and those at +-30 degrees."""
    views = head.views_at(0, NOVEL_DEG)
    return dict(zip(views, torch.split(identity_descriptor(head.color[views]), 1), strict=True))


def measure_head(
    means: Means,
    made: Head,
    pose: CameraPose,
    head: HeldOutHead,
    truths: dict[int, Tensor] | None = None,
) -> None:
    """Add the metrics of one reconstructed head, seen by the camera that was predicted for its photo.

    ``truths`` are the true head's :func:`true_descriptors`; they are computed where they are not given.
    """
    truths = truths if truths is not None else true_descriptors(head)
    true = CameraPose.from_cam2world(head.cam2world, FACE_ORBIT).as_vector()  # [V, 6]
    predicted = pose.as_vector().cpu()
    cameras = CameraPose.from_vector(predicted + true - true[:1]).camera(made.orbit)
    for view, yaw_deg in enumerate(head.yaws_deg):
        render = made.view(cameras[view])  # one at a time keeps memory low
        color, mask = _over_grey(render, head.color.shape[-1]), head.alpha[view : view + 1] > 0.5
        truth = head.color[view : view + 1]
        fit = psnr_db(color, truth, mask)
        means.add("input_psnr_db" if view == 0 else f"psnr_db_{abs(yaw_deg)}", fit)
        if view in truths:
            name = "input" if view == 0 else "novel"
            means.add(f"ssim_{name}", ssim(color, truth, mask))
            means.add(f"identity_{name}", (identity_descriptor(color) - truths[view]).norm(dim=1))
        if abs(yaw_deg) == NOVEL_DEG:
            means.add("novel_psnr_db", fit)
        if view == 0:
            for name, error in _geometry_errors(render, head).items():
                means.add(name, error)
    means.add("camera_deg", rotation_angle_deg(cameras.cam2world[:1], head.cam2world[:1]))


def _measure_generator(means: Means, generator: OfPlanes, head: HeldOutHead, device: torch.device) -> None:
    """Add the generator's own error: true z and true cameras, at the side of its ray grid and at full size.

    Measured in the input view and at +-30 degrees, however many views there are, so that metrics of files of both
    formats can be compared.
    """
    known = plain_head(generator, generator.mapping(head.z.to(device)))
    for view in head.views_at(0, NOVEL_DEG):
        camera = Camera(head.cam2world[view : view + 1], FACE_ORBIT.focal)
        truth, alpha = head.color[view : view + 1], head.alpha[view : view + 1]
        small = known.view(camera, superresolution=False) if isinstance(known, PlainHead) else known.view(camera)
        side = small.color.shape[-1]
        small_truth, small_alpha = at_side(truth, side), at_side(alpha, side)
        color = _over_grey(small, side)
        means.add("generator_psnr_db", psnr_db(color, small_truth, small_alpha > 0.5))
        means.add("generator_ssim", ssim(color, small_truth, small_alpha > 0.5))
        solid, true_solid = small.alpha.cpu() > 0.5, small_alpha > 0.5
        overlap = (solid & true_solid).sum() / (solid | true_solid).sum()
        means.add("generator_alpha_iou", overlap)
        if view == 0:
            for name, error in _geometry_errors(small, head).items():
                means.add(f"generator_{name}", error)
        full = known.view(camera)
        color = _over_grey(full, truth.shape[-1])
        means.add("generator_256_psnr_db", psnr_db(color, truth, alpha > 0.5))
        means.add("generator_256_ssim", ssim(color, truth, alpha > 0.5))


def _over_grey(render: RenderOutput, side: int) -> Tensor:
    """[1, 3, side, side] in [0, 1] over mid-grey."""
    return at_side(render.cpu().over_grey(), side)


def _geometry_errors(render: RenderOutput, head: HeldOutHead) -> dict[str, Tensor]:
    """Depth errors in world units and normal error in degrees of the input view, [1] each."""
    side = head.depth.shape[-1]
    render = render.cpu()
    depth, alpha, camera = render.depth, render.alpha, render.camera
    normals = render_normals(depth, alpha, camera.cam2world, focal=camera.focal)
    normals = _in_camera(at_side(normals, side), camera.cam2world)
    truth = _in_camera(head.normals, head.cam2world[:1])
    mask = both_solid(at_side(alpha, side), at_side(head.alpha[:1], side))
    depths = at_side(depth, side), head.depth, mask
    return {
        "depth_units": depth_error_units(*depths),
        "shape_depth_units": shape_depth_error_units(*depths),
        "normal_deg": normal_error_deg(normals, truth, mask),
    }


def _in_camera(vectors: Tensor, cam2world: Tensor) -> Tensor:
    """World vectors [B, 3, H, W] in the camera's axes."""
    return torch.einsum("bij,bihw->bjhw", cam2world[:, :3, :3], vectors)
