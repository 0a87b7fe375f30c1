"""Figures on held-out heads: photo to head by the encoder, and the generator given the true z.

Colours are compared over mid-grey, on the pixels where the truth's alpha is above one half; each figure is taken per
picture and then averaged. The reconstruction's input view is seen by the camera that the encoder predicts; its novel
views by that camera moved on by the true difference of the poses (yaw, pitch, roll and shift), so a wrong camera
counts once and is not forgiven. Depth and normals are compared pixel by pixel in the input view, each in its own
camera's axes, where both alphas are above one half.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..camera import CameraPose
from ..metrics.camera import rotation_angle_deg
from ..metrics.geometry import both_solid, depth_error_units, normal_error_deg, units_to_mm
from ..metrics.image import psnr_db, ssim
from ..render.normals import at_side, render_normals
from .held_out import GREY, HeldOutHead, HeldOutHeads, load_held_out
from .means import Figures, Means

if TYPE_CHECKING:
    from torch import nn

    from ..models.generator import RenderOutput, TriPlaneGenerator


def evaluate_heads(
    generator: TriPlaneGenerator,
    encoder: nn.Module | None,
    held_out: HeldOutHeads | None = None,
    *,
    limit: int | None = None,
    on_head: Callable[[int, int], None] | None = None,
) -> Figures:
    """All figures; None where there is nothing to measure (no encoder, or a z of another length).

    Args:
        generator: In evaluation mode.
        encoder: E0, image [B, 3, 256, 256] -> ``w_plus`` and ``camera``; None measures the generator alone.
        held_out: The shipped heads by default.
        limit: Only so many heads, from the first.
        on_head: Called with the number of heads done and of all.
    """
    held_out = held_out if held_out is not None else load_held_out()
    count = len(held_out) if limit is None else min(limit, len(held_out))
    device = next(generator.parameters()).device
    means = Means()
    with torch.no_grad():
        for index in range(count):
            head = held_out.head(index)
            if encoder is not None:
                _measure_encoder(means, generator, encoder, head, head.photo(index), device)
            if held_out.latents.shape[1] == generator.config.z_dim:
                _measure_generator(means, generator, head, device)
            if on_head is not None:
                on_head(index + 1, count)
    return _figures(means, count)


def head_figures(means: Means, count: int) -> Figures:
    """The figures that :func:`measure_head` added."""
    names = ("input_psnr_db", "novel_psnr_db", "ssim_input", "ssim_novel", "depth_units", "normal_deg", "camera_deg")
    figures: Figures = {"heads": count, **{name: means.mean(name) for name in names}}
    depth = means.mean("depth_units")
    figures["depth_mm"] = None if depth is None else units_to_mm(depth)
    return figures


def _figures(means: Means, count: int) -> Figures:
    figures = head_figures(means, count)
    generator_names = ("psnr_db", "ssim", "256_psnr_db", "256_ssim", "depth_units", "normal_deg", "alpha_iou")
    figures.update({f"generator_{name}": means.mean(f"generator_{name}") for name in generator_names})
    depth = means.mean("generator_depth_units")
    figures["generator_depth_mm"] = None if depth is None else units_to_mm(depth)
    return figures


def _measure_encoder(
    means: Means,
    generator: TriPlaneGenerator,
    encoder: nn.Module,
    head: HeldOutHead,
    photo: Tensor,
    device: torch.device,
) -> None:
    estimate = encoder(photo.to(device))
    measure_head(means, generator, estimate.w_plus, estimate.camera, head)


def measure_head(
    means: Means,
    generator: TriPlaneGenerator,
    w_plus: Tensor,  # [1, num_ws, w_dim]
    camera: CameraPose,
    head: HeldOutHead,
) -> None:
    """The figures of one reconstructed head; ``camera`` is the one that its input view was told to have."""
    true = CameraPose.from_cam2world(head.cam2world).as_vector()  # [V, 6]
    cameras = CameraPose.from_vector(camera.as_vector().cpu() + true - true[:1]).cam2world()
    planes = generator.planes(w_plus)
    # One view at a time keeps memory low; planes are shared.
    renders = [generator.render(planes, matrix[None].to(w_plus.device), w_plus=w_plus) for matrix in cameras]
    for view, render in enumerate(renders):
        color, mask = _over_grey(render, head.color.shape[-1]), head.alpha[view : view + 1] > 0.5
        truth = head.color[view : view + 1]
        name = "input" if view == 0 else "novel"
        means.add(f"{name}_psnr_db", psnr_db(color, truth, mask))
        means.add(f"ssim_{name}", ssim(color, truth, mask))
    means.add("camera_deg", rotation_angle_deg(cameras[:1], head.cam2world[:1]))
    depth_units, normal_deg = _geometry_errors(renders[0], cameras[:1], head)
    means.add("depth_units", depth_units)
    means.add("normal_deg", normal_deg)


def _measure_generator(means: Means, generator: TriPlaneGenerator, head: HeldOutHead, device: torch.device) -> None:
    """The generator's own error: true z, true cameras, at the side of its rays and at full size."""
    w_plus = generator.mapping(head.z.to(device))
    planes = generator.planes(w_plus)
    for view, matrix in enumerate(head.cam2world):
        camera = matrix[None].to(device)
        truth, alpha = head.color[view : view + 1], head.alpha[view : view + 1]
        small = generator.render(planes, camera, w_plus=w_plus, superresolution=False)
        side = small.color.shape[-1]
        small_truth, small_alpha = at_side(truth, side), at_side(alpha, side)
        color = _over_grey(small, side)
        means.add("generator_psnr_db", psnr_db(color, small_truth, small_alpha > 0.5))
        means.add("generator_ssim", ssim(color, small_truth, small_alpha > 0.5))
        solid, true_solid = small.alpha.cpu() > 0.5, small_alpha > 0.5
        overlap = (solid & true_solid).sum() / (solid | true_solid).sum()
        means.add("generator_alpha_iou", overlap)
        if view == 0:
            depth_units, normal_deg = _geometry_errors(small, head.cam2world[:1], head)
            means.add("generator_depth_units", depth_units)
            means.add("generator_normal_deg", normal_deg)
        full = generator.render(planes, camera, w_plus=w_plus)
        color = _over_grey(full, truth.shape[-1])
        means.add("generator_256_psnr_db", psnr_db(color, truth, alpha > 0.5))
        means.add("generator_256_ssim", ssim(color, truth, alpha > 0.5))


def _over_grey(render: RenderOutput, side: int) -> Tensor:
    """[1, 3, side, side] in [0, 1] over mid-grey."""
    return at_side((render.over(GREY).float().cpu() + 1.0) / 2.0, side)


def _geometry_errors(render: RenderOutput, camera: Tensor, head: HeldOutHead) -> tuple[Tensor, Tensor]:
    """Depth error in world units and normal error in degrees of the input view, [1] each."""
    side = head.depth.shape[-1]
    depth, alpha = render.depth.float().cpu(), render.alpha.float().cpu()
    normals = _in_camera(at_side(render_normals(depth, alpha, camera), side), camera)
    truth = _in_camera(head.normals, head.cam2world[:1])
    mask = both_solid(at_side(alpha, side), at_side(head.alpha[:1], side))
    return depth_error_units(at_side(depth, side), head.depth, mask), normal_error_deg(normals, truth, mask)


def _in_camera(vectors: Tensor, cam2world: Tensor) -> Tensor:
    """World vectors [B, 3, H, W] in the camera's axes."""
    return torch.einsum("bij,bihw->bjhw", cam2world[:, :3, :3], vectors)
