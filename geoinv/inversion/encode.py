"""Inversion without optimisation: the encoder's one pass from the aligned photo to a code and a camera, or the mean
head, and how well it fits."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..camera import CameraPose
from ..errors import CheckpointError
from .saved import Inversion, PhotoDetails

if TYPE_CHECKING:
    from torch import nn

    from ..align import AlignedFace
    from ..models.details import LocalBranch, SourceView
    from ..models.generator import RenderOutput, TriPlaneGenerator

ENCODER_SIZE = 256
"""Side of the encoder's input in pixels."""


def encoder_input(photo: np.ndarray) -> Tensor:
    """Aligned photo, uint8 [512, 512, 3] -> [1, 3, 256, 256] in [-1, 1]; each pixel is the mean of those it covers."""
    import cv2

    small = cv2.resize(photo, (ENCODER_SIZE, ENCODER_SIZE), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(small).permute(2, 0, 1)[None].float() / 127.5 - 1.0


@torch.no_grad()
def encode_face(
    face: AlignedFace,
    generator: TriPlaneGenerator,
    encoder: nn.Module,
    *,
    generator_name: str,
    generator_sha256: str,
    source: str = "photo",
    seed: int = 0,
    pose: CameraPose | None = None,
    branch: LocalBranch | None = None,
) -> tuple[Inversion, RenderOutput]:
    """The inversion of an aligned photo and its reconstruction in the photo's own view.

    Args:
        face: From :class:`geoinv.align.FaceAligner`.
        generator: The generator to invert into.
        encoder: The encoder that was trained for it.
        generator_name: Kept in the inversion.
        generator_sha256: Kept in the inversion; editing with another generator is refused.
        source: File name of the photo.
        seed: Kept in the inversion; encoding itself draws no random number.
        pose: The camera, where it is known; else the encoder's.
        branch: The local branch that was trained for both, to add what the code does not hold.

    Raises:
        CheckpointError: The encoder's codes do not fit the generator, or are not finite.
    """
    device = next(generator.parameters()).device
    image = encoder_input(face.image).to(device)
    estimate = encoder(image)
    w_plus: Tensor = estimate.w_plus  # [1, num_ws, w_dim]
    expected = (1, generator.config.num_ws, generator.config.w_dim)
    if tuple(w_plus.shape) != expected:
        raise CheckpointError(
            f"the encoder gives codes {list(w_plus.shape)}, generator {generator_name} takes {list(expected)}",
            "use the encoder that was trained for this generator",
        )
    camera = (pose or estimate.camera).as_vector().to(device)  # [1, 6]
    if not (torch.isfinite(w_plus).all() and torch.isfinite(camera).all()):
        raise CheckpointError("the encoder's result is not finite", "its weights are damaged: run `geoinv doctor`")
    planes = generator.planes(w_plus)
    inversion, reconstruction = _inversion(
        face, generator, w_plus, planes, camera, "encoder", generator_name, generator_sha256, source, seed
    )
    if branch is None:
        return inversion, reconstruction
    return with_details(inversion, reconstruction, generator, planes, branch)


@torch.no_grad()
def with_details(
    inversion: Inversion,
    reconstruction: RenderOutput,
    generator: TriPlaneGenerator,
    planes: Tensor,  # [1, 3, C, R, R]
    branch: LocalBranch,
) -> tuple[Inversion, RenderOutput]:
    """An inversion with the details that its photo shows beyond its code, and its reconstruction with them.

    Args:
        inversion: Not yet edited.
        reconstruction: Of the code alone, in the photo's view.
        generator: Of the inversion.
        planes: Of its code.
        branch: The local branch that was trained for it.
    """
    from ..models.details import SourceView, render_with_details

    device = reconstruction.color.device
    photo = _photo_at_side(inversion.photo, reconstruction.color.shape[-1]).to(device)
    cam2world = inversion.pose.cam2world(generator.config.orbit).to(device)
    source = SourceView.of(photo, person_in(photo, reconstruction), reconstruction, cam2world)
    details = PhotoDetails(*(part.half().cpu() for part in (source.residual[0], source.depth[0, 0], source.color[0])))
    stored = source_view(replace(inversion, details=details), device)
    detailed = render_with_details(generator, branch, planes, stored, cam2world)
    before = {f"{inversion.method}_psnr_db": inversion.metrics["psnr_db"]}
    metrics = {**inversion.metrics, **before, **fit_metrics(detailed, inversion.photo)}
    return replace(inversion, details=details, method="hybrid", metrics=metrics), detailed


def person_in(photo: Tensor, reconstruction: RenderOutput) -> Tensor:
    """[1, 1, H, H] in [0, 1]: where a photo [1, 3, H, H] in [0, 1] shows the person whose reconstruction is given.

    The reconstruction may be wider than the person, and then stands before the photo's background.
    """
    from ..align.person import person_mask

    pixels = (photo[0].permute(1, 2, 0) * 255.0).round().byte().cpu().numpy()
    mask = person_mask(np.ascontiguousarray(pixels), (reconstruction.alpha[0, 0] > 0.5).cpu().numpy())
    soft = torch.nn.functional.avg_pool2d(torch.from_numpy(mask)[None, None].float(), 3, stride=1, padding=1)
    return soft.to(photo.device)


def source_view(inversion: Inversion, device: torch.device | str = "cpu") -> SourceView:
    """What an inversion with details knows of its photo."""
    from ..models.details import SourceView

    assert inversion.details is not None
    cam2world = inversion.pose.cam2world().to(device)
    details = inversion.details
    residual, depth, color = (
        part.float().to(device)[None] for part in (details.residual, details.surface, details.color)
    )
    return SourceView(residual, depth[None], color, cam2world)


@torch.no_grad()
def mean_face(
    face: AlignedFace,
    generator: TriPlaneGenerator,
    *,
    generator_name: str,
    generator_sha256: str,
    source: str = "photo",
    seed: int = 0,
    pose: CameraPose | None = None,
) -> tuple[Inversion, RenderOutput]:
    """The mean head before the camera that alignment estimates: where optimisation starts without an encoder.

    Arguments are those of :func:`encode_face`.
    """
    w_plus = generator.w_avg.detach()[None, None].repeat(1, generator.config.num_ws, 1)
    pose = pose or CameraPose.from_angles(math.radians(face.yaw_deg), math.radians(face.pitch_deg))
    camera = pose.as_vector().to(w_plus.device)
    planes = generator.planes(w_plus)
    return _inversion(face, generator, w_plus, planes, camera, "mean", generator_name, generator_sha256, source, seed)


def _inversion(
    face: AlignedFace,
    generator: TriPlaneGenerator,
    w_plus: Tensor,
    planes: Tensor,  # of w_plus
    camera: Tensor,  # [1, 6]
    method: str,
    generator_name: str,
    generator_sha256: str,
    source: str,
    seed: int,
) -> tuple[Inversion, RenderOutput]:
    cam2world = CameraPose.from_vector(camera).cam2world(generator.config.orbit)
    reconstruction = generator.render(planes, cam2world, w_plus=w_plus)
    inversion = Inversion(
        w_plus=w_plus.float().cpu(),
        camera=camera[0].float().cpu(),
        photo=face.image,
        crop=np.asarray(face.matrix, dtype=np.float64),
        source=source,
        source_size=(int(face.source_size[0]), int(face.source_size[1])),
        removed_roll_deg=float(face.roll_deg),
        generator=generator_name,
        generator_sha256=generator_sha256,
        metrics=fit_metrics(reconstruction, face.image),
        method=method,
        seed=seed,
    )
    return inversion, reconstruction


def fit_metrics(reconstruction: RenderOutput, photo: np.ndarray) -> dict[str, float]:
    """How well a reconstruction fits its photo, over its own head (alpha above one half).

    Returns:
        ``psnr_db`` over the head's pixels (peak 1), and ``head_share``, the part of the picture that they are. Hair or
        a hat outside the reconstructed head is not counted, so compare ``head_share`` too.
    """
    side = reconstruction.color.shape[-1]
    target = _photo_at_side(photo, side)
    alpha = reconstruction.alpha.float().cpu()
    image = reconstruction.color.float().cpu() / alpha.clamp(min=1e-3)
    is_head = alpha[0, 0] > 0.5
    share = float(is_head.float().mean())
    if share == 0.0:
        return {"psnr_db": 0.0, "head_share": 0.0}
    squared = (image.clamp(0.0, 1.0) - target)[0, :, is_head].square().mean()
    return {"psnr_db": round(-10.0 * math.log10(max(float(squared), 1e-10)), 4), "head_share": round(share, 4)}


def _photo_at_side(photo: np.ndarray, side: int) -> Tensor:
    """uint8 [H, H, 3] -> [1, 3, side, side] in [0, 1]; each pixel is the mean of those it covers."""
    pixels = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255.0
    return torch.nn.functional.interpolate(pixels, size=(side, side), mode="area")
