"""Losses of E0 for generators on the head mesh: all of the geometry-aware supervision of E3DGE (Lan et al., CVPR 2023).

Shape code and light are compared with the true ones directly, as vertices, movements and what light does to surfaces.
Pictures teach w_plus and light: heads stand on their true meshes, so that no error of shape is painted over, and
albedo, colour under the predicted light, normal, opacity and distance of their rays are compared.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ...camera import CameraPose
from ...faces.square import face_square
from ...images.tensors import GREY
from ...light import light_difference
from ...models.anchored_generator import AnchoredGenerator, LitHeads
from ...models.encoder import GlobalEncoder
from ...models.latent_space import LatentSpace
from ...models.on_mesh import OnMesh
from ...ops.anchored_rays import AnchoredHeads, AnchorVolumes
from ...shape import ARKIT_UNITS, HeadCodes
from ..data.photo_batches import PhotoBatch
from .encoder import code_losses
from .likeness import likeness_loss, rendered_faces
from .lit_rays import LitGenerator, lit_ray_losses
from .on_mesh import SHAPE_WEIGHT, ShapeLoss, painting_loss
from .rays import SampleCounts, guided_distances, ray_losses
from .shape import SLAB


def encoder_losses_on_mesh(
    encoder: GlobalEncoder,
    generator: AnchoredGenerator,
    batch: PhotoBatch,
    space: LatentSpace,
    shape_loss: ShapeLoss,
    random: torch.Generator,
    *,
    samples: SampleCounts,
    renders: bool,
) -> dict[str, Tensor]:
    """Losses of the encoder on heads that are known; see :func:`.encoder.encoder_losses`, whose arguments these are.

    Args:
        encoder: The network that learns.
        generator: Frozen generator of the codes.
        batch: Photos, and what is known of them: shape codes and light, too.
        space: Spread of the generator's codes.
        shape_loss: Error of vertices of its head mesh model.
        random: Generator on the CPU for samples.
        samples: Samples on each ray.
        renders: Whether heads are rendered; else there are terms of codes, shapes, light, cameras and landmarks alone.
    """
    predicted, target, terms = code_losses(encoder, generator, batch, space)
    assert predicted.on_mesh is not None and batch.codes is not None and batch.light is not None
    terms |= on_mesh_losses(encoder, predicted.on_mesh, batch.codes, batch.light, shape_loss)
    terms["painting"] = painting_loss(generator, predicted.w_plus, target)
    if not renders:
        return terms
    rays = batch.rays
    assert rays.codes is not None
    count = len(rays.z)
    light = predicted.on_mesh.light[:count]
    codes = HeadCodes.from_vector(rays.codes)
    with torch.no_grad():
        vertices = generator.anchor.model.vertices(codes)
        teacher = generator.planes(target[:count, None].expand(-1, generator.config.num_ws, -1))
    heads = generator.anchored(predicted.w_plus[:count], vertices)
    along = rays.origins, rays.directions
    distances = guided_distances(*along, rays.distance, generator.config.render.box_side, samples, random)
    output = generator.march(heads, *along, distances)
    terms |= {name: value for name, value in ray_losses(output, rays, distances).items() if name != "color"}
    terms |= lit_ray_losses(output.features, replace(rays, light=light))
    hit = (rays.distance > 0) & (rays.alpha > 0.5)
    away = F.smooth_l1_loss(output.distance, rays.distance, beta=SLAB, reduction="none")
    terms["depth"] = (away * hit).mean()
    terms["planes"] = (heads.planes - teacher).square().mean() / teacher.var()
    wanted = face_square(batch.faces)
    seen = rendered_faces(
        LitGenerator(generator),
        _first(LitHeads(heads, light, codes), len(wanted)),
        CameraPose.from_vector(batch.camera[: len(wanted)]).cam2world(generator.config.orbit),
        torch.full_like(wanted, GREY),
        samples,
        random,
    )
    terms["likeness"] = likeness_loss(seen, wanted)
    return terms


def on_mesh_losses(
    encoder: GlobalEncoder, predicted: OnMesh, codes: Tensor, light: Tensor, shape_loss: ShapeLoss
) -> dict[str, Tensor]:
    """Errors of the first H heads against their true shape codes [H, I + 54] and light [H, 9, 3].

    Returns:
        ``shape``: squared distances of vertices in hundredths of the box side; ``expression``: squared errors of units
        and gaze in units of their spread; ``light``: squared errors of linear RGB.
    """
    known = predicted[: len(codes)]
    units = len(ARKIT_UNITS) + 2
    error = ((known.codes.as_vector() - codes) / encoder.shape_scale)[:, -units:]
    return {
        "shape": SHAPE_WEIGHT * shape_loss(known.codes, codes),
        "expression": error.square().mean(),
        "light": light_difference(known.light, light),
    }


def _first(heads: LitHeads, count: int) -> LitHeads:
    planes, (whole, face, face_box), bias, _ = heads.rays
    rays = AnchoredHeads(planes[:count], AnchorVolumes(whole[:count], face[:count], face_box), bias[:count])
    return LitHeads(rays, heads.light[:count], HeadCodes.from_vector(heads.codes.as_vector()[:count]))
