"""Likeness as a loss of training: do the face networks that ship see the same person, age, sex and expression?

E3DGE's identity term (Lan et al., CVPR 2023), with two more networks: squared error of colours alone is content with
the mean of all faces that a photo could show.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ...camera import rays_through
from ...faces.identity import identity_descriptor
from ...faces.networks import dense_features, face_crops, load_face_weights, xception_features
from ...faces.square import FACE_SIDE, crop_about, face_positions
from ...models.generator import TriPlaneGenerator
from .rays import SampleCounts, guided_distances, own_surface


def likeness_loss(seen: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared distances of what the networks tell of two sets of face squares [B, 3, F, F] in [0, 1].

    Identity descriptors, of which one person's photos lie 0.2 to 0.5 apart, and unit features of age, sex and
    expression.
    """
    pictures = crop_about(torch.cat([seen.clamp(0.0, 1.0), wanted]))
    small = face_crops(pictures, 112)
    told = (
        identity_descriptor(pictures),
        functional.normalize(xception_features(small, load_face_weights("age_gender"))),
        functional.normalize(dense_features(small, load_face_weights("expression"))),
    )
    count = seen.shape[0]
    distances = [(features[:count] - features[count:].detach()).square().sum(dim=1) for features in told]
    return torch.stack(distances).sum(dim=0).mean()


def rendered_faces(
    generator: TriPlaneGenerator,
    planes: Tensor,  # [B, 3, C, R, R]
    cam2world: Tensor,  # [B, 4, 4]
    background: Tensor,  # [B, 3, F, F] in [0, 1]
    samples: SampleCounts,
    random: torch.Generator,
) -> Tensor:
    """Face squares [B, 3, F, F] in front of ``background``, with samples about the surface that is there already.

    Alpha is a constant here: a head is not to become transparent where the photo behind it is the better likeness.
    """
    origins, directions = rays_through(cam2world, face_positions(planes.device))
    surface = own_surface(generator, planes, origins, directions)
    distances = guided_distances(origins, directions, surface, generator.config.render.box_side, samples, random)
    output = generator.march(planes, origins, directions, distances)
    alpha = output.alpha.detach()[..., None]
    behind = background.flatten(2).transpose(1, 2)
    color = output.features[..., :3] + (1.0 - alpha) * behind
    return color.transpose(1, 2).reshape(-1, 3, FACE_SIDE, FACE_SIDE)
