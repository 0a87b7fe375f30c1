"""Pure torch specification: any dtype, device and order of gradient."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ...conventions import BOX_SIDE

Box = tuple[tuple[float, float], ...]
"""Lowest and highest x, y and z."""


class AnchorVolumes(NamedTuple):
    """Volumes of heads; the eight channels are displacement to the average head 3, signed distance 1, normal 3, part 1.

    Args:
        whole: [B, G, G, G, 8] of the whole box, indexed by z, y, x.
        face: [B, F, F, F, 8] of the face's box.
        face_box: Limits of the face's box.
    """

    whole: Tensor
    face: Tensor
    face_box: Box


FACE_MARGIN = 0.1
"""Part of the face's box, at each side, in which the two volumes are blended."""


def read_anchor(volumes: AnchorVolumes, points: Tensor) -> Tensor:
    """The eight channels [B, N, 8] at world points [B, N, 3]: trilinear, the face's volume within its box."""
    limits = torch.tensor(volumes.face_box).to(points)
    in_face = 2.0 * (points - limits[:, 0]) / (limits[:, 1] - limits[:, 0]) - 1.0  # [-1, 1] inside
    inset = (1.0 - in_face.abs()).amin(dim=-1, keepdim=True) / (2.0 * FACE_MARGIN)
    return torch.lerp(
        _trilinear(volumes.whole, points * (2.0 / BOX_SIDE)),
        _trilinear(volumes.face, in_face),
        inset.clamp(0.0, 1.0),
    )


def _trilinear(volume: Tensor, places: Tensor) -> Tensor:
    """volume [B, G, G, G, K] at places [B, N, 3] in [-1, 1], held constant beyond -> [B, N, K]."""
    sampled = F.grid_sample(
        volume.permute(0, 4, 1, 2, 3),
        places[:, None, None].to(volume.dtype),
        padding_mode="border",
        align_corners=False,
    )
    return sampled[:, :, 0, 0].transpose(1, 2)
