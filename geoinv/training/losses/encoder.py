"""Losses of the encoder E0: codes, cameras, landmarks, pictures, shapes and likeness, on heads and on portraits.

``perceptual`` is a term of a generator's own samples, whose rays show the same kind of picture on both sides, and
``picture`` one of generators whose super-resolution reads the code.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...camera import CameraPose, rays_through
from ...faces.square import face_square
from ...images.tensors import GREY, at_side
from ...models.anchored_generator import AnchoredGenerator
from ...models.encoder import INPUT_SIZE, EncoderOutput, GlobalEncoder
from ...models.face_landmarks import heat_loss
from ...models.families import OfPlanes
from ...models.generator import TriPlaneGenerator
from ...models.latent_space import LatentSpace
from ...models.precision import fast_precision
from ...shape import HeadCodes
from ..data.face_photos import FacePhotoBatch
from ..data.head_source import codes_of
from ..data.photo_batches import PhotoBatch
from .likeness import likeness_loss, perceptual_loss, rendered_faces
from .lit_rays import LitGenerator
from .picture import picture_loss
from .rays import SampleCounts, guided_distances, own_surface, ray_losses
from .shape import shape_losses

GEOMETRY = ("alpha", "surface", "depth", "density", "normals", "planes")
"""The terms of shape. Without them nothing teaches shapes: left out are also another view of the head, and the true
surface as the place where rays are sampled. What is left is the photo's own view, code and camera, as in the official
code's ``pix_sup_only``."""

LOSS_WEIGHTS = {
    "latent": 0.05,
    "spread": 0.015,
    "camera": 0.6,
    "landmark_camera": 0.6,
    "landmarks": 10.0,
    "heat": 0.05,
    "color": 1.0,
    "alpha": 0.5,
    "surface": 0.2,
    "depth": 0.5,
    "density": 0.2,
    "normals": 0.04,
    "planes": 0.02,
    # of generators on the head mesh
    "shape": 0.1,
    "expression": 0.1,  # lids and gaze move few vertices
    "light": 0.5,
    "painting": 0.2,
    "albedo": 1.0,
    "normal": 0.02,
    "portrait": 0.3,
    "portrait_around": 0.3,
    "portrait_outline": 0.3,
    "portrait_camera": 0.1,
    "portrait_landmarks": 2.0,
    "likeness": 0.02,
    "perceptual": 0.1,
    "picture": 0.5,
    "portrait_likeness": 0.02,
    # Without it, networks are pleased by codes that make no head: blotches, red where a smile should be.
    "portrait_spread": 0.05,
    # Nor by heads that no z makes: E0's codes of portraits lay three times as far out as those of heads, and their
    # shapes had haze about them.
    "portrait_prior": 0.03,
}


LATENT_OF_OWN_SAMPLES = 0.3
"""Weight of ``latent`` on a generator's own samples: there a code is all that there is to a head, no picture is noise.
With 0.05, a small generator's codes were no better than the mean one after 100 steps."""


def loss_weights(*, with_geometry: bool, own_samples: bool = False) -> dict[str, float]:
    """Weight of each loss; terms of shape weigh 0 without geometry, and that of codes more on own samples."""
    weights = LOSS_WEIGHTS | ({"latent": LATENT_OF_OWN_SAMPLES} if own_samples else {})
    return weights if with_geometry else weights | dict.fromkeys(GEOMETRY, 0.0)


def encoder_losses(
    encoder: GlobalEncoder,
    generator: TriPlaneGenerator,
    batch: PhotoBatch,
    space: LatentSpace,
    random: torch.Generator,
    *,
    samples: SampleCounts,
    shape_points: int,
    with_geometry: bool,
    renders: bool,
) -> dict[str, Tensor]:
    """Losses of the encoder on heads that are known.

    Args:
        encoder: The network that learns.
        generator: Frozen generator of the codes.
        batch: Photos, and what is known of them.
        space: Spread of the generator's codes.
        random: Generator on the CPU for samples and points.
        samples: Samples on each ray.
        shape_points: Points of each head rendered: near its surface, on it, and anywhere.
        with_geometry: Whether there are terms of shape, see :data:`GEOMETRY`.
        renders: Whether heads are rendered; else there are terms of codes, cameras and landmarks alone.

    Returns:
        Latent and camera terms in units of their spread, and those of pictures and shapes.
    """
    predicted, target, terms = code_losses(encoder, generator, batch, space)
    if not renders:
        return terms
    rays = batch.rays
    heads = rays.z.shape[0]
    planes = generator.planes(predicted.w_plus[:heads])
    surface = rays.distance if with_geometry else own_surface(generator, planes, rays.origins, rays.directions)
    box_side = generator.config.render.box_side
    distances = guided_distances(rays.origins, rays.directions, surface, box_side, samples, random)
    output = generator.march(planes, rays.origins, rays.directions, distances)
    terms |= ray_losses(output, rays, distances)
    if with_geometry:
        with torch.no_grad():
            teacher = generator.planes(target[:heads, None].expand(-1, generator.config.num_ws, -1))
        terms |= shape_losses(generator, planes, teacher, rays, output, random, points=shape_points)
    count = batch.faces.shape[0]
    wanted = face_square(batch.faces)
    cam2world = CameraPose.from_vector(batch.camera[:count]).cam2world(generator.config.orbit)
    seen = rendered_faces(generator, planes[:count], cam2world, torch.full_like(wanted, GREY), samples, random)
    terms["likeness"] = likeness_loss(seen, wanted)
    if batch.knows_w:
        terms["perceptual"] = perceptual_loss(seen, wanted)
    if not generator.config.has_alpha:  # others' super-resolution does not read the code
        pose = CameraPose.from_vector(batch.camera[:count])
        terms["picture"] = picture_loss(
            generator, planes[:count], predicted.w_plus[:count], pose, batch.pictures, samples, random
        )
    return terms


def code_losses(
    encoder: GlobalEncoder, generator: OfPlanes, batch: PhotoBatch, space: LatentSpace
) -> tuple[EncoderOutput, Tensor, dict[str, Tensor]]:
    """What the encoder finds in photos, their true w [P, w_dim], and losses of codes, cameras and landmarks."""
    with fast_precision(batch.images.device):
        predicted: EncoderOutput = encoder(at_side(batch.images, INPUT_SIZE))
    target = codes_of(generator, batch.z, knows_w=batch.knows_w)
    known = batch.landmarks.shape[0]
    return (
        predicted,
        target,
        {
            # the mean over codes carries the head; single codes may leave it where the picture asks for it
            "latent": ((predicted.w_plus.mean(dim=1) - target) / space.deviations).square().mean(),
            "spread": _spread(predicted.w_plus, space),
            "camera": camera_loss(encoder, predicted.camera, batch.camera),
            "landmark_camera": camera_loss(encoder, encoder.camera_of(batch.seen), batch.seen_by),
            "landmarks": landmark_loss(predicted.landmarks[:known], batch.landmarks),
            "heat": heat_loss(predicted.heat[:known], batch.landmarks),
        },
    )


def camera_loss(encoder: GlobalEncoder, predicted: CameraPose, true: Tensor) -> Tensor:
    """Error of cameras in units of their spread.

    Args:
        encoder: Encoder that knows the spread.
        predicted: [B] poses.
        true: Pose vectors [B, 6], or as many of their first numbers as are known.
    """
    known = true.shape[1]
    scale = encoder.pose_scale[:known]
    return F.smooth_l1_loss(predicted.as_vector()[:, :known] / scale, true / scale, beta=0.1)


def landmark_loss(predicted: Tensor, true: Tensor) -> Tensor:
    """Error of landmarks [B, N, 2], normalised: absolute from about a pixel on."""
    return F.smooth_l1_loss(predicted, true, beta=1.0 / INPUT_SIZE)


def portrait_losses(
    encoder: GlobalEncoder,
    generator: OfPlanes,
    batch: FacePhotoBatch,
    space: LatentSpace,
    random: torch.Generator,
    *,
    samples: SampleCounts,
) -> dict[str, Tensor]:
    """Losses of the encoder on unlabelled photos.

    The picture teaches the code only, and the light, so the predicted camera is a constant in it: a camera could hide a
    wrong face by looking past it. So is the predicted shape, where there is one.

    Args:
        encoder: The network that learns.
        generator: Frozen generator of the codes.
        batch: The photos.
        space: Spread of the generator's codes.
        random: Generator on the CPU for samples.
        samples: Samples on each ray.

    Returns:
        Error and likeness of the faces, seen by the predicted cameras, errors of the persons above the chin, over
        black, and of their outlines, as people's hair is not that of the heads that are known, errors against
        alignment's cameras and landmarks, and how unusual the codes are.
    """
    with fast_precision(batch.images.device):
        predicted = encoder(at_side(batch.images, INPUT_SIZE))
    cam2world = predicted.camera.cam2world(generator.config.orbit).detach()
    pixels = torch.cat([batch.pixels, batch.around], dim=1)
    rays = rays_through(cam2world, pixels, focal=generator.config.orbit.focal)
    wanted = face_square(batch.photos)
    if isinstance(generator, AnchoredGenerator):
        assert predicted.on_mesh is not None
        codes = HeadCodes.from_vector(predicted.on_mesh.codes.as_vector().detach())
        heads = generator.heads(predicted.w_plus, codes=codes, light=predicted.on_mesh.light)
        lit = LitGenerator(generator)
        output = lit.render_rays(heads, *rays)
        seen = rendered_faces(lit, heads, cam2world, wanted, samples, random)
    else:
        planes = generator.planes(predicted.w_plus)
        output = generator.render_rays(planes, *rays)
        seen = rendered_faces(generator, planes, cam2world, wanted, samples, random)
    on_face, around = output.features[..., :3].split([batch.pixels.shape[1], batch.around.shape[1]], dim=1)
    alpha = output.alpha[:, batch.pixels.shape[1] :]
    return {
        "portrait": (on_face - batch.color).square().mean(),
        "portrait_around": (around - batch.around_color * batch.around_person[..., None]).square().mean(),
        "portrait_outline": (alpha - batch.around_person).square().mean(),
        "portrait_camera": camera_loss(encoder, predicted.camera, batch.camera),
        "portrait_landmarks": landmark_loss(predicted.landmarks[:, -5:], batch.landmarks5),
        "portrait_likeness": likeness_loss(seen, wanted),
        "portrait_spread": _spread(predicted.w_plus, space),
        "portrait_prior": space.coordinates(predicted.w_plus.mean(dim=1)).square().mean(),
    }


def _spread(w_plus: Tensor, space: LatentSpace) -> Tensor:
    """Mean square of how far the codes of a head lie from their mean, in units of the spread of w over heads."""
    return ((w_plus - w_plus.mean(dim=1, keepdim=True)) / space.deviations).square().mean()
