"""Metrics on held-out heads: photo to head by the encoder, beside those of the generator given the true z.

Colours are compared over mid-grey, on the pixels where the truth's alpha is above one half; each metric is taken per
picture and then averaged. The reconstruction's input view is seen by the camera that the encoder predicts; its novel
views by that camera moved on by the true difference of the poses (yaw, pitch, roll and shift), so a wrong camera
counts once and is not forgiven. Depth and normals are compared pixel by pixel in the input view, each in its own
camera's axes, where both alphas are above one half; ``shape_depth`` is depth without the median difference, which is
where along the view the head stands. On the head mesh, ``vertices_mm`` and ``light_off`` are the errors of shape and
light by themselves. Identity is the distance of a view's descriptor to that of the true picture of the same view, both
over mid-grey.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..camera import CameraPose
from ..conventions import FACE_ORBIT
from ..faces.identity import identity_descriptor
from ..heads import AnchoredHead, Head
from ..metrics.camera import rotation_angle_deg
from ..metrics.geometry import units_to_mm
from ..metrics.image import psnr_db, ssim
from ..progress import OnCount
from .generator_alone import generator_metrics, knows_latents, measure_generator
from .held_out import BEHIND_DEG, HeldOutHead, HeldOutHeads, load_held_out
from .means import Means, Metrics
from .variants import Invert, encoded_by
from .view_errors import errors_on_mesh, geometry_errors, over_grey

if TYPE_CHECKING:
    from torch import nn

    from ..align import FaceAligner
    from ..models.families import OfPlanes
    from ..models.local_branch import LocalBranch

NOVEL_DEG = 30
"""Yaw of the views, to both sides, that ``novel_psnr_db``, ``ssim_novel`` and ``identity_novel`` measure."""

_NAMES = (
    *("input_psnr_db", "novel_psnr_db", "psnr_db_15", "psnr_db_30", "psnr_db_45", "psnr_db_60", "psnr_db_behind"),
    *("ssim_input", "ssim_novel", "vertices_mm", "light_off"),
    *("depth_units", "shape_depth_units", "normal_deg", "depth_normal_deg", "camera_deg"),
    *("identity_input", "identity_novel"),
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
            if knows_latents(generator, held_out):
                measure_generator(means, generator, head)
            if on_head is not None:
                on_head(index + 1)
    return {**inversion_metrics(means, count), **generator_metrics(means)}


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
        color, mask = over_grey(render, head.color.shape[-1]), head.alpha[view : view + 1] > 0.5
        truth = head.color[view : view + 1]
        fit = psnr_db(color, truth, mask)
        angle = "behind" if yaw_deg == BEHIND_DEG else str(abs(yaw_deg))
        means.add("input_psnr_db" if view == 0 else f"psnr_db_{angle}", fit)
        if view in truths:
            name = "input" if view == 0 else "novel"
            means.add(f"ssim_{name}", ssim(color, truth, mask))
            means.add(f"identity_{name}", (identity_descriptor(color) - truths[view]).norm(dim=1))
        if abs(yaw_deg) == NOVEL_DEG:
            means.add("novel_psnr_db", fit)
        if view == 0:
            for name, error in geometry_errors(render, head).items():
                means.add(name, error)
    if isinstance(made.plain, AnchoredHead) and head.known is not None:
        for name, error in errors_on_mesh(made.plain.on_mesh, head.known).items():
            means.add(name, error)
    means.add("camera_deg", rotation_angle_deg(cameras.cam2world[:1], head.cam2world[:1]))
