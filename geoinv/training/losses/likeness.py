"""Likeness as a loss of training: do the face networks that ship see the same person, age, sex and expression?

E3DGE's identity term (Lan et al., CVPR 2023), with two more networks: squared error of colours alone is content with
the mean of all faces that a photo could show.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from ...camera import rays_through
from ...faces.identity import identity_descriptor
from ...faces.networks import (
    Weights,
    dense_features,
    face_crops,
    load_face_weights,
    resnet_maps,
    xception_features,
)
from ...faces.square import FACE_SIDE, crop_about, face_positions
from ..data.ray_source import Heads, Rays
from .rays import SampleCounts, guided_distances, own_surface


def likeness_loss(seen: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared distance between features of two sets of face squares [B, 3, F, F] in [0, 1], without unit.

    Features are identity descriptors, of which one person's photos lie 0.2 to 0.5 apart, and unit features of age, sex
    and expression; squared distances of the three are added. The gradient reaches ``seen`` alone.
    """
    pictures = crop_about(torch.cat([seen.clamp(0.0, 1.0), wanted]))
    small = face_crops(pictures, 112)
    identity, age_gender, expression = (
        _weights_on(pictures.device, name) for name in ("identity", "age_gender", "expression")
    )
    features = (
        identity_descriptor(pictures, identity),
        functional.normalize(xception_features(small, age_gender)),
        functional.normalize(dense_features(small, expression)),
    )
    count = seen.shape[0]
    distances = [(part[:count] - part[count:].detach()).square().sum(dim=1) for part in features]
    return torch.stack(distances).sum(dim=0).mean()


def perceptual_loss(seen: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared distance between what the identity network sees in each place of two sets of face squares.

    The perceptual term of E3DGE's losses, which has LPIPS (Zhang et al., CVPR 2018): features of inner layers, of unit
    length in every place. The network is the one that ships. The gradient reaches ``seen`` alone.

    Args:
        seen: [B, 3, F, F] in [0, 1].
        wanted: [B, 3, F, F] in [0, 1].
    """
    pictures = crop_about(torch.cat([seen.clamp(0.0, 1.0), wanted]))
    maps = resnet_maps(face_crops(pictures, 150), _weights_on(pictures.device, "identity"))
    count, distances = seen.shape[0], []
    for features in maps:
        unit = functional.normalize(features, dim=1, eps=1e-6)
        distances.append((unit[:count] - unit[count:].detach()).square().sum(dim=1).mean())
    return torch.stack(distances).mean()


@cache
def _weights_on(device: torch.device, name: str) -> Weights:
    return {key: value.to(device) for key, value in load_face_weights(name).items()}


def rendered_faces(
    generator: Rays[Heads],
    planes: Heads,  # of B heads
    cam2world: Tensor,  # [B, 4, 4]
    background: Tensor,  # [B, 3, F, F] in [0, 1]
    samples: SampleCounts,
    random: torch.Generator,
) -> Tensor:
    """Render faces, with samples about the surface that is there already.

    Alpha is a constant here: a head is not to become transparent where the photo behind it is the better likeness.

    Args:
        generator: Generator of the planes.
        planes: Heads.
        cam2world: A camera for each head.
        background: Face squares behind the heads.
        samples: Samples on each ray.
        random: Generator on the CPU for samples.

    Returns:
        Face squares [B, 3, F, F] in [0, 1].
    """
    origins, directions = rays_through(cam2world, face_positions(cam2world.device), focal=generator.config.orbit.focal)
    surface = own_surface(generator, planes, origins, directions)
    distances = guided_distances(origins, directions, surface, generator.config.render.box_side, samples, random)
    output = generator.march(planes, origins, directions, distances)
    alpha = output.alpha.detach()[..., None]
    behind = background.flatten(2).transpose(1, 2)
    color = output.features[..., :3] + (1.0 - alpha) * behind
    return color.transpose(1, 2).reshape(-1, 3, FACE_SIDE, FACE_SIDE)
