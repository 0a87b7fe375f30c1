"""Middles of the irises on the head mesh."""

from __future__ import annotations

import torch
from torch import Tensor

from ..camera.pose import direction_at
from .model import HeadModel

IRIS_RADIUS = 0.95
"""Distance of the middle of the iris from that of the eyeball, as a part of the mesh's farthest: the cornea bulges."""


def eyeball(model: HeadModel, vertices: Tensor, side: str) -> tuple[Tensor, Tensor]:
    """Middle [B, 3] of an eyeball, and distance [B, 1] of its iris from it.

    Args:
        model: Head model.
        vertices: [B, V, 3] of heads.
        side: "left" or "right", the person's own.
    """
    ball = vertices[:, model.parts[f"{side}-eye"].vertices]
    middle = ball.mean(dim=1)
    return middle, IRIS_RADIUS * (ball - middle[:, None]).norm(dim=-1).amax(dim=1, keepdim=True)


def irises_of(model: HeadModel, vertices: Tensor, gaze: Tensor) -> Tensor:
    """[B, 2, 3] middles of the right and the left iris of heads with vertices [B, V, 3] and gaze [B, 2]."""
    look = direction_at(*gaze.unbind(-1))
    eyes = [eyeball(model, vertices, side) for side in ("right", "left")]
    return torch.stack([middle + radius * look for middle, radius in eyes], dim=1)
