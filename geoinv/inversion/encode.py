"""Inversion without optimisation: the encoder's one pass from the aligned photo to a code and a camera, or the mean
head, and how well it fits."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..camera import CameraPose
from ..heads import AnchoredHead, AnyDetailedHead, AnyPlainHead, Head, PhotoAround, ViewPair, plain_head
from ..images.tensors import at_side, mask_tensor, photo_tensor
from ..models.anchored_generator import AnchoredGenerator
from ..models.source_view import SourceView, cut_off
from ..notices import notify
from ..shape import FitConfig
from .kept_photos import PhotoDetails
from .landmark_fit import fitted_to_landmarks, landmarks_of
from .reconstruct import Reconstructed, reconstruct
from .saved import BranchFile, Inversion

if TYPE_CHECKING:
    from torch import nn

    from ..align import AlignedFace
    from ..models.families import AnyGenerator, AnyLocalBranch
    from ..models.render_output import RenderOutput
    from .optimise.refine import RefinedHead


@dataclass(frozen=True)
class Provenance:
    """Origin of an inversion, which is kept in it.

    Args:
        source: File name of the photo.
        generator: Name of the generator.
        generator_sha256: Hash of its weights; showing the inversion by another generator is refused.
        seed: Seed of the run.
        branch: The local branch's file, where it is not the one that lies beside the generator.
    """

    source: str
    generator: str
    generator_sha256: str
    seed: int = 0
    branch: BranchFile | None = None


@dataclass(frozen=True, eq=False)
class Inverted:
    """The result of inverting a photo.

    Args:
        inversion: The inversion, as a file keeps it.
        head: The inversion's head, ready to be seen.
        views: The head in the photo's own view, without and with details.
        run: The run of optimisation, where there was one.
    """

    inversion: Inversion
    head: Head
    views: ViewPair
    run: RefinedHead | None = None


@torch.no_grad()
def encode_face(
    face: AlignedFace,
    generator: AnyGenerator,
    encoder: nn.Module,
    provenance: Provenance,
    *,
    pose: CameraPose | None = None,
    branch: AnyLocalBranch | None = None,
) -> Inverted:
    """The inversion of an aligned photo by the encoder, which draws no random number.

    Args:
        face: Aligned photo, from :class:`geoinv.align.FaceAligner`.
        generator: The generator to invert into.
        encoder: The encoder that was trained for it.
        provenance: Origin of the inversion, which is kept in it.
        pose: The camera, where it is known; else the encoder's, or alignment's where the encoder finds none.
        branch: The local branch that was trained for both, to add what the code does not hold.

    Raises:
        CheckpointError: The encoder's codes do not fit the generator, or are not finite.
    """
    pictures = photo_tensor(face.image).to(generator.w_avg.device)
    made = reconstruct(
        pictures,
        encoder,
        generator,
        branch,
        pose=pose,
        aligned_pose=_aligned_pose(face),
        inside=mask_tensor(face.inside).to(pictures),
        around=around_of(face.around, face.matrix, face.source_size) if shows_around(generator, branch) else None,
        landmarks=_landmarks(face, generator),
    )
    return _inverted(face, made, "encoder" if branch is None else "hybrid", provenance)


def shows_around(generator: AnyGenerator, branch: AnyLocalBranch | None) -> bool:
    """Whether heads take what their photos show around the crops: those on the mesh, with details."""
    return isinstance(generator, AnchoredGenerator) and branch is not None


@torch.no_grad()
def mean_face(
    face: AlignedFace, generator: AnyGenerator, provenance: Provenance, *, pose: CameraPose | None = None
) -> Inverted:
    """The mean head before the camera that alignment estimates: where optimisation starts without an encoder.

    On the head mesh, shape and camera are fitted to the photo's landmarks. Arguments are those of :func:`encode_face`.
    """
    w_plus = generator.w_avg.detach().expand(generator.config.num_ws, -1)[None].clone()
    is_known = pose is not None
    pose = pose or _aligned_pose(face)
    camera, on_mesh = CameraPose.from_vector(pose.as_vector().to(w_plus)), None
    if isinstance(generator, AnchoredGenerator) and (landmarks := _landmarks(face, generator)) is not None:
        orbit = generator.config.orbit
        on_mesh, camera = fitted_to_landmarks(
            generator.on_mesh(w_plus), camera, landmarks, orbit, is_camera_fixed=is_known, config=FitConfig()
        )
    return _inverted(face, Reconstructed(plain_head(generator, w_plus, on_mesh), camera), "mean", provenance)


def _landmarks(face: AlignedFace, generator: AnyGenerator) -> list[Tensor] | None:
    """Landmarks that a head on the mesh is fitted to; None where there is nothing to fit or to fit to."""
    if not isinstance(generator, AnchoredGenerator):
        return None
    found = landmarks_of(face)
    if found is None:
        notify("the head's shape is the encoder's guess: it is fitted to MediaPipe's landmarks alone")
    return None if found is None else [found]


def _aligned_pose(face: AlignedFace) -> CameraPose:
    """The camera that alignment estimates."""
    return CameraPose.from_angles(math.radians(face.yaw_deg), math.radians(face.pitch_deg))


def _inverted(face: AlignedFace, made: Reconstructed, method: str, provenance: Provenance) -> Inverted:
    """The inversion of a reconstructed head; of a detailed one, metrics of the code alone go with it as encoder's."""
    details, metrics = None, fit_metrics(made.views.plain, face.image, face.inside)
    if isinstance(made.head, AnyDetailedHead):
        details = details_of(made.head.source)
        before = {"encoder_psnr_db": metrics["psnr_db"]}
        metrics = metrics | before | fit_metrics(made.views.shown, face.image, face.inside)
    plain = made.head.plain
    inversion = inversion_of(face, provenance, plain.w_plus, made.pose.as_vector()[0], metrics, method, details)
    if isinstance(plain, AnchoredHead):
        around = None if details is None else face.around
        inversion = replace(inversion, on_mesh=plain.on_mesh.to(torch.device("cpu")), around=around)
    return Inverted(inversion, made.head, made.views)


def inversion_of(
    face: AlignedFace,
    provenance: Provenance,
    w_plus: Tensor,
    camera: Tensor,
    metrics: dict[str, float],
    method: str,
    details: PhotoDetails | None,
) -> Inversion:
    """The inversion of an aligned photo by a method without steps.

    Args:
        face: Aligned photo.
        provenance: Origin of the inversion.
        w_plus: [1, num_ws, w_dim] its code.
        camera: [6] its camera.
        metrics: Metrics by name.
        method: Name of the method.
        details: What the photo shows beyond the code, or None.
    """
    return Inversion(
        w_plus=w_plus.float().cpu(),
        camera=camera.float().cpu(),
        photo=face.image,
        crop=np.asarray(face.matrix, dtype=np.float64),
        source=provenance.source,
        source_size=(int(face.source_size[0]), int(face.source_size[1])),
        removed_roll_deg=float(face.roll_deg),
        generator=provenance.generator,
        generator_sha256=provenance.generator_sha256,
        metrics=metrics,
        method=method,
        details=details,
        branch=None if details is None else provenance.branch,
        seed=provenance.seed,
    )


def around_of(
    picture: NDArray[np.uint8] | None, crop: NDArray[np.float64], source_size: tuple[int, int]
) -> PhotoAround | None:
    """What a photo shows around its crop, of the picture that is kept of it, or None; arguments as in
    :mod:`geoinv.align.around`."""
    if picture is None:
        return None
    from ..align.around import inside_around, person_around  # here, because these load OpenCV

    person, inside = person_around(picture, crop, source_size), inside_around(crop, source_size)
    return PhotoAround(photo_tensor(picture), mask_tensor(person), mask_tensor(inside))


def details_of(source: SourceView) -> PhotoDetails:
    """Details of a photo as an inversion keeps them, of a source view of batch size 1."""
    return PhotoDetails(*(part.half().cpu() for part in (source.residual[0], source.depth[0, 0], source.color[0])))


def source_of(details: PhotoDetails, pose: CameraPose, head: AnyPlainHead) -> SourceView:
    """Source view of a photo's details and camera, before any edit: the inverse of :func:`details_of`."""
    device = head.w_plus.device
    residual, depth, color = (
        part.float().to(device)[None] for part in (details.residual, details.surface, details.color)
    )
    return SourceView(residual, depth[None], color, pose.camera(head.orbit).to(device))


def fit_metrics(reconstruction: RenderOutput, photo: NDArray[np.uint8], inside: NDArray[np.bool_]) -> dict[str, float]:
    """Metrics of a reconstruction's fit to its photo, over its own head (alpha above one half) inside of the photo.

    Args:
        reconstruction: The head in the photo's view.
        photo: [H, H, 3] the aligned photo.
        inside: [H, H] bool, True where the pixels show the photo; the others are padding.

    Returns:
        ``psnr_db`` over the head's pixels (peak 1), and ``head_share``, the fraction of the picture that they are. Hair
        or a hat outside the reconstructed head is not counted, so compare ``head_share`` too.
    """
    reconstruction = reconstruction.cpu()
    target = at_side(photo_tensor(photo), reconstruction.color.shape[-1])
    image = reconstruction.color / reconstruction.alpha.clamp(min=1e-3)
    is_head: Tensor = cut_off(reconstruction, mask_tensor(inside)).alpha[0, 0] > 0.5
    fraction = float(is_head.float().mean())
    if fraction == 0.0:
        return {"psnr_db": 0.0, "head_share": 0.0}
    squared = (image.clamp(0.0, 1.0) - target)[0, :, is_head].square().mean()
    return {"psnr_db": round(-10.0 * math.log10(max(float(squared), 1e-10)), 4), "head_share": round(fraction, 4)}
