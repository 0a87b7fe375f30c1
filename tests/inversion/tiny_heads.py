"""A tiny generator whose heads a photo of its own can be fitted to."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import torch
from torch import Tensor

from geoinv.camera import CameraPose
from geoinv.heads import PlainHead
from geoinv.inversion.optimise.objective import LossWeights
from geoinv.inversion.optimise.photo_target import PhotoTarget
from geoinv.inversion.optimise.refine import HeadEstimate, Refinement
from geoinv.models.generator import TriPlaneGenerator
from geoinv.models.latent_space import random_codes
from tests.tiny_models import tiny_config


@cache
def tiny_generator(*, like_eg3d: bool = False) -> TriPlaneGenerator:
    """Dense everywhere, in colours that depend on w; like EG3D it has noise, and a mapping that wants a camera."""
    torch.manual_seed(0)
    config = tiny_config()
    if like_eg3d:
        config = dataclasses.replace(
            config,
            backbone=dataclasses.replace(config.backbone, painting="skip", warp_rank=0, smooth=False),
            mapping=dataclasses.replace(config.mapping, label_dim=25, normalise_z=True),
            render=dataclasses.replace(config.render, limits="fixed"),
            third_plane="zx",
        )
    generator = TriPlaneGenerator(config)
    with torch.no_grad():
        generator.decoder.net[-1].bias[0] = 60.0
        for name, value in generator.named_parameters():
            if name.endswith("noise_strength"):
                value.fill_(0.3)
            if name.endswith("torgb.weight"):
                value.mul_(2.0)  # the filter behind it takes contrast away
    return generator.eval().requires_grad_(False)


def head_of(generator: TriPlaneGenerator, seed: int, yaw_rad: float = 0.0) -> HeadEstimate:
    """A random head before a camera."""
    w_plus = random_codes(generator, 1, seed=seed)[:, None].repeat(1, generator.config.num_ws, 1)
    return HeadEstimate(w_plus, CameraPose.from_angles(yaw_rad).as_vector()[0])


def picture_of(generator: TriPlaneGenerator, head: HeadEstimate) -> Tensor:
    """[1, 3, 16, 16] in [0, 1] over mid-grey, before super-resolution."""
    camera = generator.camera(head.pose)
    return PlainHead(generator, head.w_plus).view(camera, superresolution=False).over_grey()


def target_of(picture: Tensor) -> PhotoTarget:
    """With the face in the middle half."""
    face = torch.zeros(picture.shape[-2:])
    quarter = picture.shape[-1] // 4
    face[quarter:-quarter, quarter:-quarter] = 1.0
    return PhotoTarget.from_picture(picture, face, picture.shape[-1])


def quick(**settings: Any) -> Refinement:
    """A refinement without the identity network, which takes most of the time of so small a generator."""
    return Refinement(weights=LossWeights(likeness=0.0), **settings)
