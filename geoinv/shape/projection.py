"""Points of the head mesh in a picture, and how codes and camera move them there: what fits to landmarks step by."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from ..conventions import Orbit
from .camera_rotation import world_to_camera
from .model import HeadModel


@lru_cache(maxsize=4)
def points_basis(model: HeadModel, points: Literal["landmarks68", "landmarks468"]) -> tuple[Tensor, Tensor]:
    """A model's points on the mean head [P, 3] and what every code moves them, [P, 3, I + 52], float64."""
    places = getattr(model, points)
    moves = torch.cat([places.on(model.identity_basis), places.on(model.expression_basis)])  # [I + 52, P, 3]
    return places.on(model.mean).double(), moves.permute(1, 2, 0).double().contiguous()


def project_points(
    mean: Tensor,  # [P, 3] world units
    basis: Tensor,  # [P, 3, C]
    codes: Tensor,  # [C]
    camera: Tensor,  # [6] as of CameraPose.as_vector
    orbit: Orbit,
) -> tuple[Tensor, Tensor]:
    """Places of points in the picture [P, 2], as parts of its side, and their derivatives by codes and camera
    [P, 2, C + 6]."""
    rotation, by_angles = world_to_camera(*camera[:3])
    centred = mean + basis @ codes - torch.tensor(orbit.pivot, dtype=mean.dtype)  # [P, 3]
    x_camera, y_camera, depth = (centred @ rotation.T - camera[3:]).unbind(-1)
    depth = depth + orbit.radius
    zero = torch.zeros_like(depth)
    by_place = torch.stack(  # [P, 2, 3], the picture by the place in the camera's axes
        [
            torch.stack([1.0 / depth, zero, -x_camera / depth**2], -1),
            torch.stack([zero, 1.0 / depth, -y_camera / depth**2], -1),
        ],
        dim=1,
    )
    by_place = by_place * orbit.focal
    turned = torch.einsum("aij,pj->pia", by_angles, centred)  # [P, 3, 3]
    jacobian = torch.cat([(by_place @ rotation) @ basis, by_place @ turned, -by_place], dim=-1)
    return torch.stack([x_camera, y_camera], -1) / depth[:, None] * orbit.focal + 0.5, jacobian
